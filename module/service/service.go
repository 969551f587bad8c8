// Package service answers as whom the system runs this program as a service, and how a
// command is run as that one.
//
// It knows units of systemd and users. It must not know clients, records or commands of ours.
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

// Service is a service of this machine that runs a configuration as another user than this
// process is.
type Service struct {
	// Unit is its name, such as lamplighter.service.
	Unit string

	// User is the one that it runs as, "" if the system makes one up when it starts.
	User string

	// Config is the file of its configuration, as the unit has it.
	Config string

	properties []string // of the unit: what a command needs in order to be run as the service is
}

// folders are those of units, the first of which wins (systemd.unit(5)).
var folders = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// Elsewhere returns the service that runs the configuration in a file, if there is one and
// this process is not its user; else nil. What such a process reads and writes is not what
// the service does: another home, another environment, other rights.
func Elsewhere(config string) *Service {
	return elsewhere(folders, Unit(), config, os.Geteuid())
}

// Unit is the name of the unit that this program would have: that of its file.
func Unit() string { return filepath.Base(os.Args[0]) + ".service" }

// Installed reports whether this machine has that unit.
func Installed() bool {
	_, ok := read(folders, Unit())
	return ok
}

// Configured is the file of the configuration that the unit of this program names, "" if
// there is none.
func Configured() string {
	text, _ := read(folders, Unit())
	return parse(Unit(), text).Config
}

func elsewhere(folders []string, unit, config string, euid int) *Service {
	text, ok := read(folders, unit)
	if !ok || config == "" {
		return nil
	}
	s := parse(unit, text)
	if !sameFile(s.Config, config) {
		return nil
	}
	if s.User == "" { // nobody can be it
		return s
	}
	if id, err := uid(s.User); err != nil || id == euid {
		return nil
	}
	return s
}

// read returns the text of a unit with all that is added to it.
func read(folders []string, unit string) (text string, ok bool) {
	for _, folder := range folders {
		content, err := os.ReadFile(filepath.Join(folder, unit))
		if err == nil {
			text, ok = string(content), true
			break
		}
	}
	if !ok {
		return "", false
	}
	for _, folder := range slices.Backward(folders) {
		added, _ := filepath.Glob(filepath.Join(folder, unit+".d", "*.conf")) // of a pattern without faults
		for _, name := range added {
			if content, err := os.ReadFile(name); err == nil {
				text += "\n" + string(content)
			}
		}
	}
	return text, true
}

// carried are the settings of a unit that decide what a command finds.
var carried = []string{"User", "Group", "StateDirectory", "StateDirectoryMode", "EnvironmentFile", "Environment"}

// parse reads what matters of a unit. A list that is emptied begins anew, and of all else
// the last counts.
func parse(unit, text string) *Service {
	settings := make(map[string][]string)
	section := ""
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		name, value, found := strings.Cut(line, "=")
		if section != "[Service]" || !found || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if list := name == "Environment" || name == "EnvironmentFile"; !list || value == "" {
			settings[name] = nil
		}
		if value != "" {
			settings[name] = append(settings[name], value)
		}
	}
	s := &Service{Unit: unit, User: last(settings["User"]), Config: Config(strings.Fields(last(settings["ExecStart"])))}
	if s.User == "" && last(settings["DynamicUser"]) != "yes" {
		s.User = "root"
	}
	for _, name := range carried {
		for _, value := range settings[name] {
			s.properties = append(s.properties, name+"="+value)
		}
	}
	return s
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// Config is the file that the words of a command name with --config, "" if they name none.
func Config(words []string) string {
	for i, word := range words {
		name, value, joined := strings.Cut(word, "=")
		if name != "--config" && name != "-c" {
			continue
		}
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		return strings.Trim(value, `"'`)
	}
	return ""
}

func sameFile(a, b string) bool {
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
	return fmt.Sprintf("%s runs as %s", s.Unit, cmp.Or(s.User, "a user that is made up when it starts"))
}

// Command is what one types to have a command of this program run as the service is, ""
// if nobody can: args are its words, of which the configuration is named anew, for it is
// run somewhere else.
func (s *Service) Command(args []string) string {
	if s.User == "" {
		return ""
	}
	words := []string{"sudo", "systemd-run", "--quiet", "--collect", "--pipe", "--wait"}
	for _, property := range s.properties {
		words = append(words, "-p", property)
	}
	words = append(words, filepath.Base(os.Args[0]))
	words = append(append(words, withoutConfig(args)...), "--config", s.Config)
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
