package login

import (
	"fmt"

	"lamplighter/module/internal/redact"
)

// checkIssuer returns an error if the browser brings something from another authorization
// server than the log-in went to (RFC 9207): then neither a code nor an error of it is of
// any use. A server of which nobody has configured the issuer cannot be told from others.
func (under *underWay) checkIssuer(iss string) error {
	switch {
	case under.issuer == "", iss == under.issuer:
		return nil
	case iss == "" && !under.namesIssuer:
		return nil
	case iss == "":
		return fmt.Errorf("client %s: the browser brought no iss, although the metadata of issuer %s says that its answers have one (RFC 9207): the answer may be another server's, and was not used; begin again", under.client, under.issuer)
	}
	return fmt.Errorf("client %s: the browser came from the issuer %s, and the log-in went to %s (RFC 9207), so its answer was not used; begin again, and open no other log-in beside it", under.client, redact.Quote(iss), under.issuer)
}
