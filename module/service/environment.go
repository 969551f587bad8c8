package service

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// environment finds out which variables the unit gives the service, and with them where its
// data is.
func (s *Service) environment(settings map[string][]string) {
	s.variables, s.known = make(map[string]string), true
	who := account(s.User)
	if last(settings["User"]) != "" && who != nil {
		s.home = who.HomeDir
		s.variables["HOME"], s.variables["USER"], s.variables["LOGNAME"] = who.HomeDir, who.Username, who.Username
	}
	for variable, base := range map[string]string{"STATE": "/var/lib", "RUNTIME": "/run"} {
		var all []string
		for _, name := range strings.Fields(strings.Join(settings[capitalized[variable]], " ")) {
			all = append(all, filepath.Join(base, s.expand(name)))
		}
		if len(all) > 0 {
			s.variables[variable+"_DIRECTORY"] = strings.Join(all, ":")
		}
	}
	if len(settings["LoadCredential"])+len(settings["LoadCredentialEncrypted"]) > 0 {
		s.variables["CREDENTIALS_DIRECTORY"] = "/run/credentials/" + s.Unit
	}
	for _, line := range settings["Environment"] {
		for _, word := range words(line) {
			if name, value, ok := strings.Cut(word, "="); ok {
				s.variables[name] = s.expand(value)
			}
		}
	}
	for _, file := range settings["EnvironmentFile"] {
		added, err := variablesOf(s.expand(strings.TrimPrefix(file, "-")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.known = false
		}
		maps.Copy(s.variables, added)
	}
	s.Data = s.data(last(settings["WorkingDirectory"]))
}

var capitalized = map[string]string{"STATE": "StateDirectory", "RUNTIME": "RuntimeDirectory"}

// data is Caddy's rule (caddy.AppDataDir) with the variables of the unit, "" where a value has
// something in it that is not understood.
func (s *Service) data(working string) (dir string) {
	switch home := s.variables["HOME"]; {
	case s.variables["XDG_DATA_HOME"] != "":
		dir = filepath.Join(s.variables["XDG_DATA_HOME"], "caddy")
	case home != "":
		dir = filepath.Join(home, ".local", "share", "caddy")
	case s.User != "": // of the system's own services without a user, which have no home
		dir = filepath.Join(cmp.Or(working, "/"), "caddy")
	}
	if strings.Contains(dir, "%") || !filepath.IsAbs(dir) {
		return ""
	}
	return dir
}

// expand replaces the specifiers that say where something is (systemd.unit(5)).
func (s *Service) expand(text string) string {
	name := strings.TrimSuffix(s.Unit, ".service")
	pairs := []string{"%S", "/var/lib", "%C", "/var/cache", "%E", "/etc", "%t", "/run", "%n", s.Unit, "%N", name, "%p", name, "%d", "/run/credentials/" + s.Unit}
	if s.home != "" {
		pairs = append(pairs, "%h", s.home)
	}
	if s.User != "" {
		pairs = append(pairs, "%u", s.User)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// variablesOf reads a file of variables (systemd.exec(5)).
func variablesOf(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	found := make(map[string]string)
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n > 1 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
			value = value[1 : n-1]
		}
		found[strings.TrimSpace(name)] = value
	}
	return found, nil
}

// Environment are the variables that the unit gives the service, beside those that systemd
// gives all. known is false if this process may not read all of them.
func (s *Service) Environment() (variables map[string]string, known bool) {
	return maps.Clone(s.variables), s.known
}

// OtherData reports whether the service keeps its data, and with that the records of grants,
// elsewhere than this process would.
func (s *Service) OtherData() bool {
	return s.Data != "" && resolved(s.Data) != resolved(caddy.AppDataDir())
}

// resolved is a directory by its own name, as far as it is there and this process may look.
func resolved(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	rest := ""
	for at := dir; ; at = filepath.Dir(at) {
		if own, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(own, rest)
		}
		if at == filepath.Dir(at) {
			return dir
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// account is a user by its name or number, nil if there is none.
func account(name string) *user.User {
	found, err := user.Lookup(name)
	if err != nil {
		found, err = user.LookupId(name)
	}
	if err != nil {
		return nil
	}
	return found
}
