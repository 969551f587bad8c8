// Package scratch answers how a configuration is provisioned to be looked at, by validate,
// by doctor, by a command without an instance, so that nothing is left behind: what its apps
// store in Caddy's storage, such as the keys of a certificate authority of its own, is kept
// in memory, and no log is opened.
//
// It knows Caddy's configuration, its storage and its logs. It must not know clients, whose
// records are elsewhere, nor what commands there are.
package scratch

import (
	"encoding/json"
	"sync"

	"github.com/caddyserver/caddy/v2"
)

// name is of the modules that take the place of what is configured.
const name = "looked_at"

var register = sync.OnceFunc(func() {
	caddy.RegisterModule(new(storageModule))
	caddy.RegisterModule(new(writerModule))
})

// Config returns a configuration, as JSON, whose storages are read as ever and keep what is
// written in memory, and whose logs are written to standard error, where who looks at it sees
// them. The settings of both are provisioned as ever. JSON that is no configuration is returned
// as it is: Caddy says what is wrong with it.
func Config(text []byte) []byte {
	register()
	return in(text, func(config object) {
		config.instead("storage", "module")
		config.in("logging", func(logging object) {
			logging.in("sink", writesNothing)
			logging.inEach("logs", writesNothing)
		})
		config.in("apps", func(apps object) {
			apps.in("pki", func(pki object) {
				pki.inEach("certificate_authorities", func(authority object) {
					if authority["storage"] != nil {
						authority.instead("storage", "module")
					}
				})
			})
		})
	})
}

func writesNothing(log object) {
	if log["writer"] != nil {
		log.instead("writer", "output")
	}
}

// object is one of JSON, whose other members stay as they are written.
type object map[string]json.RawMessage

// in changes an object, and returns anything else as it is.
func in(text []byte, change func(object)) []byte {
	var o object
	if json.Unmarshal(text, &o) != nil || o == nil {
		return text
	}
	change(o)
	changed, err := json.Marshal(o)
	if err != nil {
		return text
	}
	return changed
}

// in changes a member that is an object.
func (o object) in(member string, change func(object)) {
	if o[member] != nil {
		o[member] = in(o[member], change)
	}
}

// inEach changes the objects that a member has.
func (o object) inEach(member string, change func(object)) {
	o.in(member, func(all object) {
		for name := range all {
			all.in(name, change)
		}
	})
}

// instead puts a module of ours in the place of another one, whose name has this key.
func (o object) instead(member, key string) {
	ours := object{key: json.RawMessage(`"` + name + `"`)}
	if o[member] != nil {
		ours[member] = o[member]
	}
	if text, err := json.Marshal(ours); err == nil {
		o[member] = text
	}
}
