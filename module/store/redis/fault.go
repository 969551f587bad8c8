package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"lamplighter/module/internal/redact"
	"lamplighter/module/store"
	"lamplighter/module/store/guest"
)

var (
	errReplica = fmt.Errorf("%w: the server is a replica: give the address of the primary, or those of Sentinels and 'sentinel <name>'", store.ErrUnsafe)
	errCluster = fmt.Errorf("%w: the server is part of a Redis Cluster, of which no durability can be proved: use a primary with replicas and Sentinels", store.ErrUnsafe)
)

// fault says what an error means in the words of package store. What the server answered
// with an error has written nothing; of what it did not answer nobody knows.
func (e *Engine) fault(err error, state int) error {
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrUnavailable, store.ErrUnknown, store.ErrRefused, store.ErrFull, store.ErrUnsafe} {
		if errors.Is(err, known) {
			return err
		}
	}
	answer := redis.Error(nil)
	if !errors.As(err, &answer) {
		if state == sent {
			return said(store.ErrUnknown, err)
		}
		return said(store.ErrUnavailable, err)
	}
	code, rest, _ := strings.Cut(answer.Error(), " ")
	switch {
	case code == "NOPERM" || code == "ERR" && deniedInScript(rest):
		return fmt.Errorf("%w; what is needed is given by: %s", said(store.ErrRefused, err), redact.Text(e.acl()))
	case code == "NOAUTH" || code == "WRONGPASS" || code == "ERR" && (strings.Contains(rest, "DB index") || strings.Contains(rest, "AUTH")):
		return said(store.ErrRefused, err)
	case code == "OOM":
		return said(store.ErrFull, err)
	case code == "MOVED" || code == "ASK" || code == "CROSSSLOT" || code == "CLUSTERDOWN":
		return errCluster
	}
	return said(store.ErrUnavailable, err)
}

// deniedInScript reports whether a script may not do something, which Redis and Valkey say
// in words of their own.
func deniedInScript(words string) bool {
	return strings.HasPrefix(words, "The user executing the script can't") || strings.HasPrefix(words, "ACL failure in script")
}

// said is an error of the store with what its server or the network said, fit to print.
func said(known, err error) error {
	if late := net.Error(nil); errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("%w: there was no answer in time", known)
	}
	text := redact.Text(strings.TrimSpace(err.Error()))
	if guest.Untrusted(err) {
		text += untrusted
	}
	return fmt.Errorf("%w: %s", known, text)
}

const untrusted = "; name who signed the server's certificate with 'tls { trust_pool file <file> }', and another name that it has with server_name in tls"
