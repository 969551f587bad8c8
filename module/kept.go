package module

import (
	"path/filepath"
	"reflect"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"lamplighter/module/scratch"
	"lamplighter/module/settings"
)

// configuration returns the files that the configuration of this process is in.
var configuration atomic.Pointer[func() []string]

// Configuration says in which files the configuration of this process is, so that no token is
// written over one of them. It is asked when a client has a token_file.
func Configuration(files func() []string) { configuration.Store(&files) }

// keepDirectories lets no token be written among what else this process keeps in files.
func (a *App) keepDirectories(ctx caddy.Context) error {
	kept := map[string]string{
		filepath.Dir(caddy.ConfigAutosavePath): "Caddy's configuration", caddy.AppDataDir(): "Caddy's data",
		filepath.Join(filepath.Dir(caddy.AppDataDir()), "lamplighter"): "spent refresh tokens",
	}
	storage := ctx.Storage()
	if only, ok := storage.(*scratch.Storage); ok {
		storage = only.Configured()
	}
	if storage, ok := storage.(*certmagic.FileStorage); ok && kept[storage.Path] == "" {
		kept[storage.Path] = "Caddy's storage"
	}
	for dir, what := range kept {
		if err := a.set.Files().Keep(dir, what); err != nil {
			return err
		}
	}
	return nil
}

// files are what else this process reads and writes, by path: its configuration and its logs.
func (a *App) files(ctx caddy.Context) map[string]string {
	found := make(map[string]string)
	for _, log := range logFiles(ctx) {
		found[log] = "a log"
	}
	for _, clients := range []map[string]*settings.Client{a.Clients, a.declared} {
		for _, c := range clients {
			if c == nil {
				continue
			}
			if file := declaredIn(c.DeclaredAt); file != "" {
				found[file] = "the configuration"
			}
		}
	}
	if files := configuration.Load(); files != nil {
		for _, file := range (*files)() {
			found[file] = "the configuration"
		}
	}
	return found
}

// logFiles are the files that the logs of a configuration go to. Caddy shows nobody its logs:
// if another version keeps them elsewhere, there are none.
func logFiles(ctx caddy.Context) (files []string) {
	config := member(reflect.ValueOf(ctx), "cfg", reflect.Pointer)
	logs := member(member(config, "Logging", reflect.Pointer), "Logs", reflect.Map)
	if !logs.IsValid() {
		return nil
	}
	for _, name := range logs.MapKeys() {
		writer := member(logs.MapIndex(name), "writerOpener", reflect.Interface)
		if !writer.IsValid() || writer.IsNil() {
			continue
		}
		file := member(writer.Elem(), "Filename", reflect.String) // of Caddy's writer of files, or scratch's
		if !file.IsValid() || file.String() == "" {
			continue
		}
		if path, err := filepath.Abs(file.String()); err == nil {
			files = append(files, path)
		}
	}
	return files
}

// member is one of a structure, which may stand behind a pointer, invalid if it has none of
// that kind.
func member(of reflect.Value, name string, kind reflect.Kind) reflect.Value {
	of = reflect.Indirect(of)
	if of.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	if found := of.FieldByName(name); found.IsValid() && found.Kind() == kind {
		return found
	}
	return reflect.Value{}
}
