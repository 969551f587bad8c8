package recordstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"filippo.io/age"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
)

const (
	// format is the version of the envelope and of what it holds.
	format = record.Format

	// MaxSize bounds the bytes of a record. No answer of a token endpoint comes near.
	MaxSize = 16 << 20
)

// envelope is a record's file: one line of JSON. The checksum is over the exact
// bytes of record, which is an object, or a string of base64 if it is encrypted,
// so that encryption changes nothing around it.
type envelope struct {
	Format int             `json:"format"`
	Stamp  Stamp           `json:"stamp,omitzero"`
	SHA256 string          `json:"sha256"`
	Record json.RawMessage `json:"record"`
}

// Stamp is what a shared store needs to know of a write, beside the record.
type Stamp struct {
	// Epoch is that of the store, as the engine told it: the store may have lost writes
	// since.
	Epoch string `json:"epoch,omitempty"`
}

// Encode returns the bytes of a record, encrypted if there are keys. A zero stamp is not
// written.
func Encode(rec *record.Record, keys *encryption.Keys, stamp Stamp) ([]byte, error) {
	payload, err := rec.Encode()
	if err == nil && keys != nil {
		payload, err = keys.Seal(payload)
	}
	if err != nil {
		return nil, err
	}
	return wrapStamped(payload, stamp)
}

// wrapStamped puts a record into its envelope.
func wrapStamped(record []byte, stamp Stamp) ([]byte, error) {
	data := fmt.Appendf(nil, "{\"format\":%d,", format)
	if stamp != (Stamp{}) {
		member, err := json.Marshal(stamp)
		if err != nil {
			return nil, fmt.Errorf("encode record: %w", err)
		}
		data = fmt.Appendf(data, "\"stamp\":%s,", member)
	}
	data = fmt.Appendf(data, "\"sha256\":\"%x\",\"record\":%s}\n", sha256.Sum256(record), record)
	if len(data) > MaxSize {
		return nil, fmt.Errorf("record has %d bytes, more than the %d that a file may have", len(data), MaxSize)
	}
	return data, nil
}

// unwrap takes apart what wrap has put together, to the letter. It saves two of
// three readings of the JSON when many records are loaded; of anything else, which
// may be right all the same, it says so.
func unwrap(data []byte) (*envelope, bool) {
	rest, ok := bytes.CutPrefix(data, fmt.Appendf(nil, "{\"format\":%d,", format))
	if !ok {
		return nil, false
	}
	env := &envelope{Format: format}
	if rest, ok = env.stamped(rest); !ok {
		return nil, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte("\"sha256\":\"")); !ok || len(rest) < 2*sha256.Size {
		return nil, false
	}
	sum, rest := string(rest[:2*sha256.Size]), rest[2*sha256.Size:]
	if rest, ok = bytes.CutPrefix(rest, []byte("\",\"record\":")); !ok {
		return nil, false
	}
	record, ok := bytes.CutSuffix(rest, []byte("}\n"))
	if !ok || fmt.Sprintf("%x", sha256.Sum256(record)) != sum {
		return nil, false
	}
	env.SHA256, env.Record = sum, record
	return env, true
}

// stamped takes the stamp off, if there is one.
func (e *envelope) stamped(rest []byte) ([]byte, bool) {
	stamp, ok := bytes.CutPrefix(rest, []byte("\"stamp\":"))
	if !ok {
		return rest, true
	}
	end := bytes.Index(stamp, []byte("},\"sha256\":"))
	if end < 0 || record.Parse(stamp[:end+1], &e.Stamp) != nil {
		return nil, false
	}
	return stamp[end+2:], true
}

// Decode returns the record of a client in its bytes, and their stamp. Every error is
// ErrUnreadable, and none repeats what they hold: that may be a secret.
func Decode(name string, data []byte, keys ...age.Identity) (*record.Record, Stamp, error) {
	rec, stamp, err := open(data, keys)
	if err != nil {
		return nil, stamp, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if rec.Client != name {
		return nil, stamp, Foreign(fmt.Errorf("%w: it belongs to another client: was it renamed or copied?", ErrUnreadable))
	}
	rec.Client = name // which takes no memory of its own
	return rec, stamp, nil
}

// open takes the record out of its envelope.
func open(data []byte, keys []age.Identity) (*record.Record, Stamp, error) {
	switch {
	case len(data) == 0:
		return nil, Stamp{}, errors.New("the file is empty")
	case len(data) > MaxSize:
		return nil, Stamp{}, fmt.Errorf("the file has more than %d bytes", MaxSize)
	case bytes.IndexByte(data, 0) >= 0:
		return nil, Stamp{}, errors.New("the file contains NUL bytes, as a crash of the machine may leave them")
	}
	if env, ok := unwrap(data); ok {
		rec, err := env.open(keys)
		return rec, env.Stamp, err
	}
	// Another format may differ in everything but the member that tells.
	var version struct {
		Format int `json:"format"`
	}
	if err := record.Parse(data, &version); err != nil {
		return nil, Stamp{}, err
	}
	if version.Format > format {
		return nil, Stamp{}, fmt.Errorf("%w (format %d; this one knows %d)", ErrNewer, version.Format, format)
	}
	if version.Format < 1 {
		return nil, Stamp{}, errors.New("the file says no format: it is not a record")
	}
	var env envelope
	if err := record.Parse(data, &env); err != nil {
		return nil, Stamp{}, err
	}
	rec, err := env.open(keys)
	return rec, env.Stamp, err
}

func (e *envelope) open(keys []age.Identity) (*record.Record, error) {
	if len(e.Record) == 0 {
		return nil, errors.New("the file holds no record")
	}
	sum := sha256.Sum256(e.Record)
	if e.SHA256 != hex.EncodeToString(sum[:]) {
		return nil, errors.New("its checksum is wrong: the file was damaged or edited")
	}
	data := e.Record
	switch data[0] {
	case '{':
	case '"':
		var err error
		data, err = encryption.Unseal(data, keys)
		if errors.Is(err, encryption.ErrSealed) {
			return nil, Foreign(err)
		}
		if err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("the file holds no record")
	}
	return record.Decode(data, e.Format)
}

// foreignError is that of a record which is whole, and not to be written over.
type foreignError struct{ error }

// Foreign returns the error of a record that is whole, and not to be written over.
func Foreign(err error) error { return foreignError{err} }

// Is reports whether it is asked for by its name.
func (foreignError) Is(target error) bool { return target == ErrForeign }

// Unwrap returns what it is made of.
func (e foreignError) Unwrap() error { return e.error }
