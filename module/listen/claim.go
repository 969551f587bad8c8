package listen

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// SharePorts is the environment variable that lets processes share what they listen on.
const SharePorts = "LAMPLIGHTER_SHARE_PORTS"

// alone is set until the first configuration of a process has found its addresses free.
var alone atomic.Bool

// Alone has the first configuration of this process refused if somebody listens on one of
// its addresses: a second instance would be dealt a part of the connections, or all those
// of a unix socket, without a word. Later configurations, which take their own listeners over, are not looked at.
func Alone() { alone.Store(true) }

// Claim returns an error if somebody else listens on an address of an app that is about to
// be the first of this process, and nobody may.
func Claim(ctx context.Context, app *caddyhttp.App) error {
	if !alone.Load() {
		return nil
	}
	if caddy.ActiveContext().Context != nil { // it runs another one already
		alone.Store(false)
		return nil
	}
	for _, address := range Addresses(app) {
		if err := address.Try(ctx); errors.Is(err, ErrInUse) { // of others Caddy says what is wrong
			return fmt.Errorf("%w%s: %s; stop the other one, or choose another address ('lamplighter doctor' looks who it is); %s=1 allows that", err, heldBy(address), address.Shared(), SharePorts)
		}
	}
	alone.Store(false)
	return nil
}

// heldBy names who listens, "" if that is not known.
func heldBy(address Address) string {
	for _, p := range address.Holders() {
		if !p.Own && p.PID != 0 {
			return " by " + p.String()
		}
	}
	return ""
}
