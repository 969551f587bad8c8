package service

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// installed are the folders of units, the first of which wins (systemd.unit(5)).
// SYSTEMD_UNIT_PATH names others in their place, as it does for systemd.
func installed() []string { return unitFolders(os.Getenv("SYSTEMD_UNIT_PATH")) }

func unitFolders(path string) []string {
	usual := []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
	if path == "" {
		return usual
	}
	named := strings.Split(path, ":")
	if named[len(named)-1] == "" {
		return append(named[:len(named)-1], usual...)
	}
	return named
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

// lists are the settings whose lines add up.
var lists = []string{"Environment", "EnvironmentFile", "StateDirectory", "RuntimeDirectory", "LoadCredential", "LoadCredentialEncrypted"}

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
		if !slices.Contains(lists, name) || value == "" {
			settings[name] = nil
		}
		if value != "" {
			settings[name] = append(settings[name], value)
		}
	}
	s := &Service{Unit: unit, User: last(settings["User"])}
	if s.User == "" && last(settings["DynamicUser"]) != "yes" {
		s.User = "root"
	}
	s.environment(settings)
	s.exec = words(strings.TrimLeft(s.expand(last(settings["ExecStart"])), "-@:+!"))
	if s.Config = Config(s.exec); s.Config != "" && !filepath.IsAbs(s.Config) {
		s.Config = filepath.Join("/", last(settings["WorkingDirectory"]), s.Config)
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

// words splits a line as systemd does: quotation marks hold words together.
func words(line string) (all []string) {
	var word strings.Builder
	within, quote := false, rune(0)
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
			word.WriteRune(r)
		case r == '\\':
			escaped, within = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, within = r, true
		case quote == 0 && (r == ' ' || r == '\t'):
			if within {
				all = append(all, word.String())
			}
			word.Reset()
			within = false
		default:
			within = true
			word.WriteRune(r)
		}
	}
	if within {
		all = append(all, word.String())
	}
	return all
}
