package module

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/client"
	"lamplighter/module/placeholder"
	"lamplighter/module/service"
)

// serving is the file of the configuration that this process was started with, nil if it does
// not serve.
var serving atomic.Pointer[string]

// Serve says that this process serves, beginning with the configuration in a file, "" if it is
// not known which. From then on a configuration is refused that is a service's of this machine,
// if the records of its rotating grants would be kept elsewhere than that service does: the
// refresh token in it is spent there, and is presented here. Nothing is started then.
func Serve(config string) { serving.Store(&config) }

// services are those that run configurations, by the file of that.
type services struct {
	mu    sync.Mutex
	known map[string]*service.Service
}

// serviceOf is service.Elsewhere, but in tests.
var serviceOf = service.Elsewhere

// of returns the service that runs the configuration in a file, nil if none does or this
// process is it.
func (s *services) of(file string) *service.Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.known[file]
	if !ok {
		if s.known == nil {
			s.known = make(map[string]*service.Service)
		}
		found = serviceOf(file)
		s.known[file] = found
	}
	return found
}

// notElsewhere returns an error if a client is a service's, and its record would not be where
// that service has it.
func (a *App) notElsewhere(c *client.Client) error {
	started := serving.Load()
	if started == nil || !c.Settings().Rotating() || !belowOurs(c.Record().Use.Directory()) {
		return nil
	}
	for _, file := range []string{*started, declaredIn(c.DeclaredAt())} {
		if s := a.services.of(file); s != nil && s.OtherData() {
			return placeholder.Located(c.DeclaredAt(), fmt.Errorf("client %s: %s is the configuration of a service: %s, where this process has %s: it would not find the record of the grant, and would present a refresh token that may be spent, for which a server can end the grant; %s; for grants of its own, run a copy of the file with other refresh tokens",
				c.Name(), file, s.Who(), caddy.AppDataDir(), s.Remedy([]string{"run"})))
		}
	}
	return nil
}

// belowOurs reports whether a directory is one that the environment of this process decides
// on; of a store that replicas share it is "".
func belowOurs(dir string) bool {
	if dir == "" {
		return false
	}
	data := caddy.AppDataDir()
	if filepath.IsAbs(data) {
		data = filepath.Dir(data) // else there is no home, and it is in any directory
	}
	base, err := filepath.Abs(data)
	if err != nil {
		return false
	}
	inside, err := filepath.Rel(base, dir)
	return err == nil && filepath.IsLocal(inside)
}

// declaredIn is the file of a place in a Caddyfile, "" if that is not known: a path that is not
// absolute may have been so for another process.
func declaredIn(place string) string {
	file := place
	if at := strings.LastIndexByte(place, ':'); at >= 0 {
		file = place[:at]
	}
	if !filepath.IsAbs(file) {
		return ""
	}
	return file
}
