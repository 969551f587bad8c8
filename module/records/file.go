package records

import (
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"lamplighter/module/nearest"
	"lamplighter/module/placeholder"
	"lamplighter/module/store/guest"
)

func init() {
	caddy.RegisterModule(new(FileStore))
}

// FileStore keeps records in files: for the processes of one machine, which see the same
// locks. It is the store of clients that name none.
type FileStore struct {
	// The directory of the record files. It is created with mode 0700 and must
	// be on a file system that can lock. Default: `oauth2_client` in Caddy's
	// data directory.
	Path string `json:"path,omitempty"`

	// Files with age identities, as `age-keygen` writes them, to encrypt the
	// record with. Each of them can decrypt it: to rotate keys add the new one,
	// and remove the old one after the next refresh. A record that none of them
	// decrypts is an error, and never a fresh start. Without them a record is
	// plain JSON that only its owner can read. Default: none.
	EncryptionKey []string `json:"encryption_key,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*FileStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: guest.Namespace + "." + fileKind, New: func() caddy.Module { return new(FileStore) }}
}

const fileKind = "file"

// UnmarshalCaddyfile reads the block of a store. Syntax:
//
//	store file {
//	    path           <dir>
//	    encryption_key <files...>
//	}
func (f *FileStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return guest.UnmarshalBlock(d, func() error {
		switch d.Val() {
		case "path":
			return guest.UnmarshalText(d, &f.Path)
		case "encryption_key":
			return guest.UnmarshalTexts(d, &f.EncryptionKey)
		}
		return d.Errf("unrecognized subdirective: %s%s: this store has path and encryption_key", d.Val(), nearest.Hint(d.Val(), "path", "encryption_key"))
	})
}

// directory returns the directory that the settings name for records.
func (f *FileStore) directory(where placeholder.Where) (string, error) {
	dir := filepath.Join(caddy.AppDataDir(), "oauth2_client")
	if f.Path != "" {
		r := placeholder.Resolver{Where: where}
		path := r.Value("store path", f.Path)
		if r.Err != nil {
			return "", r.Err
		}
		if len(r.Missing) == 0 {
			dir = path
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return dir, nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*FileStore)(nil)
