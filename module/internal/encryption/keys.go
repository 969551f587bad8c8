// Package encryption encrypts records at rest, with age: which keys there are, which of
// them encrypt, and which are kept to decrypt.
//
// It knows keys and bytes. It must not know what a record is, nor where it is kept.
package encryption

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"lamplighter/module/internal/record"
)

// ErrSealed says of a record that it is encrypted for keys that are not here.
var ErrSealed = errors.New("it is encrypted")

// maxSize bounds what is decrypted.
const maxSize = 16 << 20

// Keys encrypt records at rest, with age. Every key can decrypt what is written,
// so that keys are rotated by adding the new one, and removing the old one once
// every record has been written again.
type Keys struct {
	identities []age.Identity
	recipients []age.Recipient
	print      string
}

// ParseKeys reads age identity files, as age-keygen writes them. Errors name the
// file by its position and show nothing of it.
func ParseKeys(files ...[]byte) (*Keys, error) {
	k := new(Keys)
	hash := sha256.New()
	for i, file := range files {
		identities, err := age.ParseIdentities(bytes.NewReader(file))
		if err != nil {
			// Not wrapped: it may quote the key.
			return nil, fmt.Errorf("file %d holds no age identities: each is a line that begins with AGE-SECRET-KEY-", i+1)
		}
		for _, identity := range identities {
			recipient, err := recipientOf(identity)
			if err != nil {
				return nil, fmt.Errorf("file %d: %w", i+1, err)
			}
			k.identities = append(k.identities, identity)
			k.recipients = append(k.recipients, recipient)
			fmt.Fprintln(hash, recipient)
		}
	}
	if len(k.identities) == 0 {
		return nil, errors.New("there is no age identity")
	}
	// Post-quantum and other identities cannot be mixed: better known now.
	if _, err := age.Encrypt(io.Discard, k.recipients...); err != nil {
		return nil, fmt.Errorf("the keys do not go together: %w", err)
	}
	k.print = string(hash.Sum(nil))
	return k, nil
}

func recipientOf(identity age.Identity) (age.Recipient, error) {
	switch identity := identity.(type) {
	case *age.X25519Identity:
		return identity.Recipient(), nil
	case *age.HybridIdentity:
		return identity.Recipient(), nil
	}
	return nil, errors.New("only the identities that age-keygen makes can be used here")
}

// Same reports whether two sets of keys have the same keys, in any files.
func (k *Keys) Same(other *Keys) bool {
	if k == nil || other == nil {
		return k == other
	}
	return k.print == other.print
}

// Seal encrypts a record.
func (k *Keys) Seal(record []byte) (json.RawMessage, error) {
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, k.recipients...)
	if err == nil {
		_, err = w.Write(record)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt record: %w", err)
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(sealed.Bytes()))
}

// Unseal decrypts a record.
func Unseal(sealed json.RawMessage, identities []age.Identity) (json.RawMessage, error) {
	if len(identities) == 0 {
		return nil, fmt.Errorf("%w: add the key that it was written with to encryption_key", ErrSealed)
	}
	var text string
	if err := record.Parse(sealed, &text); err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("its ciphertext is damaged")
	}
	r, err := age.Decrypt(bytes.NewReader(data), identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, fmt.Errorf("%w for another key: add the one that it was written with to encryption_key", ErrSealed)
	}
	if err != nil {
		return nil, errors.New("its ciphertext is damaged")
	}
	record, err := io.ReadAll(io.LimitReader(r, maxSize))
	if err != nil || len(record) == 0 || record[0] != '{' {
		return nil, errors.New("its ciphertext is damaged")
	}
	return record, nil
}
