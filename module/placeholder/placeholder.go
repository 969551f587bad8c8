// Package placeholder answers what a written value means: what {env.*} and {file.*}
// stand for at the moment, whether a value is a literal secret, and where in the
// configuration it stands.
//
// It knows environment, files and Caddy's replacer. It must not know which settings
// there are.
package placeholder

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Resolver replaces {env.*} and {file.*} in the values of settings. It collects
// the first error, so that a series of values reads without interruption.
type Resolver struct {
	// Where says whose settings they are, for what is told of them.
	Where Where

	// Err is the first error, which names its setting and no value.
	Err error

	// Missing are the errors of values that yield nothing, which are empty then, where
	// secrets may be absent: see [SecretsOptional]. They are no Err.
	Missing []error

	// Token looks up the access token of another client, for settings that may
	// hold one. Without it the placeholder stays as it is.
	Token func(client string) (string, error)
}

// Value resolves one setting. A placeholder that yields nothing is an error
// that names the setting and the file or variable, never a value.
func (r *Resolver) Value(setting, raw string) string {
	if !strings.Contains(raw, "{") {
		return raw // most are, and a replacer takes its time
	}
	raw, nestedErr := unnested(raw)
	v, err := caddy.NewReplacer().ReplaceFunc(raw, func(key string, val any) (any, error) {
		if nestedErr != nil {
			return nil, nestedErr
		}
		kind, name, _ := strings.Cut(key, ".")
		switch kind {
		case "env":
			if caddy.ToString(val) == "" {
				return nil, noVariable(name)
			}
		case "file":
			if caddy.ToString(val) == "" {
				return nil, yieldsNothing{explainFile(name)}
			}
		case "assertion":
			if name == "" && takesTokens(setting) {
				return "{assertion}", nil
			}
			return nil, errors.New("{assertion} can be used in header and param only")
		case "oauth2_client":
			return r.otherToken(setting, key)
		case "http", "tls", "layer4":
			return nil, fmt.Errorf("{%s} is a value of a request, which may be anybody's; only {env.*} and {file.*} can be used here", key)
		default:
			// Not quoted: it may be a part of a literal secret.
			return nil, errors.New("it holds braces, and only {env.*} and {file.*} placeholders are known here; put a value with braces into a file and write {file./path/to/it}")
		}
		return val, nil
	})
	if err == nil && isOpen(raw) {
		err = errors.New("a placeholder in it has no closing brace: write {env.NAME} or {file./path/to/it}")
	}
	if err == nil {
		return v
	}
	err = fmt.Errorf("%s: %w", setting, err)
	switch {
	case is[yieldsNothing](err) && SecretsOptional():
		r.Missing = append(r.Missing, err)
		warnOnce(r.Where, err)
	case r.Err == nil:
		r.Err = err
	}
	return ""
}

// isOpen reports whether the last placeholder of a value has no closing brace. A replacer
// takes it for a literal, which the server would be sent.
func isOpen(raw string) bool {
	at := max(strings.LastIndex(raw, "{env."), strings.LastIndex(raw, "{file."))
	return at >= 0 && !strings.Contains(raw[at:], "}")
}

// takesTokens reports whether a setting may hold {assertion} and the tokens of
// other clients.
func takesTokens(setting string) bool {
	return strings.HasPrefix(setting, "header ") || strings.HasPrefix(setting, "param ")
}

func (r *Resolver) otherToken(setting, key string) (any, error) {
	name, ok := OtherClient(key)
	switch {
	case !ok:
		return nil, fmt.Errorf("{%s} is unknown: write {oauth2_client.<name>.access_token}", key)
	case !takesTokens(setting):
		return nil, fmt.Errorf("{%s} can be used in header and param only", key)
	case r.Token == nil:
		return "{" + key + "}", nil
	}
	return r.Token(name)
}

// OtherClient reads oauth2_client.<name>.access_token.
func OtherClient(key string) (name string, ok bool) {
	name, ok = strings.CutPrefix(key, "oauth2_client.")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, ".access_token")
}

// explainFile says why {file.*} yielded nothing.
func explainFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory", path)
	case info.Size() == 0:
		return fmt.Errorf("%s is empty", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = f.Close()
	return fmt.Errorf("%s holds nothing but a line break, or is larger than 1 MiB", path)
}

// Values resolves the values of a setting.
func (r *Resolver) Values(setting string, raw []string) []string {
	out := make([]string, 0, len(raw))
	for _, v := range raw {
		out = append(out, r.Value(setting, v))
	}
	return out
}

// Each resolves a setting that has a value for each name.
func (r *Resolver) Each(setting string, raw map[string]string) map[string]string {
	if len(raw) == 0 {
		return nil
	}
	out := make(map[string]string, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		out[name] = r.Value(setting+" "+name, raw[name])
	}
	return out
}

// Multi resolves a setting that has values for each name.
func (r *Resolver) Multi(setting string, raw map[string][]string) map[string][]string {
	if len(raw) == 0 {
		return nil
	}
	out := make(map[string][]string, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		out[name] = r.Values(setting+" "+name, raw[name])
	}
	return out
}
