// Package service answers as whom, and with which data, the system runs this program as a
// service, and how a command is run as that one.
//
// It knows units of systemd, users, and where Caddy keeps its data. It must not know clients,
// records or commands of ours.
package service

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lamplighter/module/internal/redact"
)

// Service is a service of this machine that runs a configuration.
type Service struct {
	// Unit is its name, such as lamplighter.service.
	Unit string

	// User is the one that it runs as, "" if the system makes one up when it starts.
	User string

	// Config is the file of its configuration.
	Config string

	// Data is Caddy's data directory as the service has it, "" if nobody can tell.
	Data string

	exec       []string          // the words that it is started with
	properties []string          // of the unit: what a command needs in order to be run as the service is
	home       string            // of its user
	variables  map[string]string // that the unit gives it
	known      bool              // all of them
}

// Of returns the installed service that runs the configuration in a file, nil if there is
// none, or if systemd does not run here, as in a container.
func Of(config string) *Service {
	if !booted() {
		return nil
	}
	return of(installed(), Unit(), config)
}

// Elsewhere returns the service that runs the configuration in a file, if there is one and
// this process is not it: another user with another home, other variables and other rights, or
// the same one with another directory for its data. Else nil. What such a process reads and
// writes is not what the service does.
func Elsewhere(config string) *Service {
	s := Of(config)
	if s == nil || within(s.Unit) {
		return nil
	}
	return s.unless(os.Geteuid())
}

// Beside returns the service of this program, whatever configuration it runs, if it keeps its data
// elsewhere than this process. Else nil.
func Beside() *Service {
	unit := Unit()
	if !booted() || within(unit) {
		return nil
	}
	text, ok := read(installed(), unit)
	if s := parse(unit, text); ok && s.OtherData() {
		return s
	}
	return nil
}

// ours is what the unit of the packages is called.
const ours = "lamplighter.service"

// Unit is the name of the unit that this program would have: that of its file, if there is
// one, and else that of the packages.
func Unit() string {
	own := filepath.Base(os.Args[0]) + ".service"
	if _, ok := read(installed(), own); ok {
		return own
	}
	return ours
}

// Installed reports whether this machine has that unit.
func Installed() bool {
	_, ok := read(installed(), Unit())
	return ok
}

// Configured is the file of the configuration that the unit of this program names, "" if
// there is none.
func Configured() string {
	text, _ := read(installed(), Unit())
	return parse(Unit(), text).Config
}

func of(folders []string, unit, config string) *Service {
	text, ok := read(folders, unit)
	if !ok || config == "" {
		return nil
	}
	if s := parse(unit, text); SameFile(s.Config, config) {
		return s
	}
	return nil
}

// unless returns the service, but nil to its own user with its own data.
func (s *Service) unless(euid int) *Service {
	id, err := uid(s.User)
	switch {
	case s.User == "": // nobody can be it
		return s
	case err != nil: // there is no such user, so that it cannot run
		return nil
	case id == euid && !s.OtherData():
		return nil
	}
	return s
}

// booted reports whether systemd runs this machine (sd_booted(3)), or somebody says where its
// units are.
func booted() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir() || os.Getenv("SYSTEMD_UNIT_PATH") != ""
}

// within reports whether systemd runs this process as that unit: nothing that is made out of
// its file is as sure.
func within(unit string) bool {
	text, err := os.ReadFile("/proc/self/cgroup")
	return err == nil && slices.Contains(strings.FieldsFunc(string(text), func(r rune) bool { return r == '/' || r == '\n' }), unit)
}

// SameFile reports whether two paths lead to one file, which is there.
func SameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

func uid(name string) (int, error) {
	if id, err := strconv.Atoi(name); err == nil {
		return id, nil
	}
	found, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(found.Uid)
}

// Me is the name of the user that this process runs as.
func Me() string {
	if me, err := user.Current(); err == nil {
		return me.Username
	}
	return strconv.Itoa(os.Geteuid())
}

// Who says who the service is.
func (s *Service) Who() string {
	who := fmt.Sprintf("%s runs as %s", s.Unit, cmp.Or(s.User, "a user that is made up when it starts"))
	if s.OtherData() {
		who += ", with its data in " + s.Data
	}
	return who
}

// Command is what one types to have a command of this program run as the service is, ""
// if nobody can: args are its words, of which the configuration is named anew, for it is
// run somewhere else. The command run is the service's own, at a terminal, which ends it.
func (s *Service) Command(args []string) string {
	if s.User == "" {
		return ""
	}
	words := []string{"sudo", "systemd-run", "--quiet", "--collect", "--pipe", "--wait"}
	if runs := len(args) > 0 && args[0] == "run"; runs {
		words[4] = "--pty"
	}
	for _, property := range s.properties {
		words = append(words, "-p", property)
	}
	if len(args) > 0 && args[0] == "run" {
		words = append(words, s.exec...)
	} else {
		words = append(words, filepath.Base(os.Args[0]))
		words = append(append(words, withoutConfig(args)...), "--config", s.Config)
	}
	for i, word := range words {
		words[i] = redact.Quoted(word)
	}
	return strings.Join(words, " ")
}

// withoutConfig takes --config out of the words of a command.
func withoutConfig(args []string) (words []string) {
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(args[i], "=")
		switch {
		case name != "--config" && name != "-c":
			words = append(words, args[i])
		case !joined:
			i++
		}
	}
	return words
}

// Remedy is what one does to have a command done as the service would do it.
func (s *Service) Remedy(args []string) string {
	remedy := "start the service, which does it itself ('systemctl start " + strings.TrimSuffix(s.Unit, ".service") + "')"
	if command := s.Command(args); command != "" {
		remedy += ", or run it as its user: " + command
	}
	return remedy
}
