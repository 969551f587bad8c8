package records

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/sharedstore"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
	"lamplighter/module/store/guest"
)

// Place is where settings put records, and what those are encrypted with.
type Place struct {
	id       string           // the same for all settings that mean the same place
	command  string           // what commands call it
	keys     *encryption.Keys // nil if records are not encrypted
	dir      string           // of files, "" if it is a shared store
	keyFile  string           // of the key that files are encrypted with, "" if there is none
	shared   guest.Module     // nil if it is not
	settings string           // of the shared store, as they were written
}

// PlaceOf returns the place that the JSON of a store names, which is empty for the
// default one. It dials nothing.
func PlaceOf(ctx caddy.Context, config json.RawMessage) (p Place, err error) {
	kind, rest, err := split(config)
	if err != nil {
		return Place{}, fmt.Errorf("store: %w", err)
	}
	if kind == "" || kind == fileKind {
		return placeOfFiles(placeholder.WhereOf(ctx), rest)
	}
	info, err := caddy.GetModule(guest.Namespace + "." + kind)
	if err != nil {
		return Place{}, guest.Unknown(kind)
	}
	if err := settings.ExplainJSON(rest, reflect.Indirect(reflect.ValueOf(info.New())).Interface()); err != nil {
		return Place{}, fmt.Errorf("store %s: %w", kind, err)
	}
	module, err := ctx.LoadModuleByID(guest.Namespace+"."+kind, rest)
	if err != nil {
		return Place{}, fmt.Errorf("store %s: %w", kind, err)
	}
	shared, ok := module.(guest.Module)
	if !ok {
		return Place{}, fmt.Errorf("store %s: the module is no store", kind)
	}
	o := shared.StoreOptions()
	if err := o.Provision(); err != nil {
		return Place{}, fmt.Errorf("store %s: %w", kind, err)
	}
	p = Place{id: kind + ":" + shared.Identity(), shared: shared, settings: string(rest), command: commandName(kind, rest)}
	if p.keys, err = encryptionKeys(placeholder.WhereOf(ctx), o.EncryptionKeys); err != nil {
		return Place{}, fmt.Errorf("store %s: %w", kind, err)
	}
	return p, nil
}

// placeOfFiles is that of the store file, with settings that may be empty.
func placeOfFiles(where placeholder.Where, config json.RawMessage) (p Place, err error) {
	var f FileStore
	if len(config) > 0 {
		if err := settings.ExplainJSON(config, f); err != nil {
			return Place{}, fmt.Errorf("store file: %w", err)
		}
		if err := json.Unmarshal(config, &f); err != nil {
			return Place{}, fmt.Errorf("store file: %w", err)
		}
	}
	if p.dir, err = f.directory(where); err != nil {
		return Place{}, err
	}
	p.id, p.command = p.dir, p.dir
	p.keys, err = encryptionKeys(where, f.EncryptionKey)
	if n := len(f.EncryptionKey); n > 0 && err == nil {
		var r placeholder.Resolver
		p.keyFile = r.Value("encryption_key", f.EncryptionKey[n-1]) // the last one encrypts
		if absolute, err := filepath.Abs(p.keyFile); err == nil {
			p.keyFile = absolute
		}
	}
	return p, err
}

// split takes the kind out of the JSON of a store. The rest has its members in order.
func split(config json.RawMessage) (kind string, rest json.RawMessage, err error) {
	if len(config) == 0 {
		return "", nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(config, &members); err != nil {
		return "", nil, err
	}
	if text, ok := members["kind"]; ok {
		if err := json.Unmarshal(text, &kind); err != nil {
			return "", nil, fmt.Errorf("kind: %w", err)
		}
	}
	delete(members, "kind")
	rest, err = json.Marshal(members)
	return kind, rest, err
}

// commandName is the JSON of a store as a command may be given it: without what is
// written out and could be a secret, which whoever runs it has to add.
func commandName(kind string, config json.RawMessage) string {
	var members map[string]any
	if json.Unmarshal(config, &members) != nil {
		return kind
	}
	withoutSecrets(members)
	members["kind"] = kind
	text, err := json.Marshal(members)
	if err != nil {
		return kind
	}
	return string(text)
}

// withKey is the JSON of the store as a command may be given it, with the file of a key.
func (p Place) withKey(path string) string {
	if p.shared == nil {
		text, _ := json.Marshal(FileStore{Path: p.dir, EncryptionKey: []string{path}}) // which has only texts
		return string(text)
	}
	members := make(map[string]any)
	_ = json.Unmarshal([]byte(p.command), &members) // it was made here
	members["encryption_key"] = []string{path}
	text, _ := json.Marshal(members) // of what was JSON
	return string(text)
}

// withoutSecrets takes away what is not known to be harmless.
func withoutSecrets(members map[string]any) {
	for name, value := range members {
		switch value := value.(type) {
		case map[string]any:
			withoutSecrets(value)
		case string:
			if !harmless(name) && placeholder.IsLiteral(value) {
				delete(members, name)
			}
		}
	}
}

// harmless reports whether the setting of that name is no secret, nor has one in it.
func harmless(name string) bool {
	for _, word := range []string{"pass", "secret", "token", "dsn", "url", "credential", "auth", "key"} {
		if strings.Contains(name, word) && !strings.HasSuffix(name, "_file") {
			return false
		}
	}
	return true
}

// options are those of a shared store.
func (p Place) options() sharedstore.Options {
	o := p.shared.StoreOptions()
	host, _ := os.Hostname()
	return sharedstore.Options{Lease: time.Duration(o.Lease), OpTimeout: time.Duration(o.OpTimeout), Poll: time.Duration(o.Poll), Holder: host}
}

// encryptionKeys reads the keys of records, nil if they are not encrypted.
func encryptionKeys(where placeholder.Where, paths []string) (*encryption.Keys, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	files := make([][]byte, 0, len(paths))
	for _, path := range paths {
		r := placeholder.Resolver{Where: where}
		if path = r.Value("encryption_key", path); r.Err != nil {
			return nil, r.Err
		}
		content, err := os.ReadFile(path)
		if err != nil && placeholder.Absent(where, "encryption_key", err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("encryption_key: %w", err)
		}
		files = append(files, content)
	}
	keys, err := encryption.ParseKeys(files...)
	if err != nil {
		return nil, fmt.Errorf("encryption_key: %w", err)
	}
	return keys, nil
}
