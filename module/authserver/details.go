package authserver

import (
	"encoding/json"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
)

// Granted is what the server says that it has granted of the authorization details that it
// was asked for (RFC 9396 section 7), of what came with an access token. nil if it says
// nothing, or repeats a secret.
func Granted(response map[string]string) json.RawMessage {
	text := response[tokenendpoint.DetailsMember]
	if text == "" || redact.Text(text) != text {
		return nil
	}
	return json.RawMessage(text)
}
