package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// Fingerprint stands for a secret where the secret itself must not be kept or
// shown: the first 8 bytes of its SHA-256. A record knows a few hundred, so that
// two which are equal by chance are one case in 10^16. 0 is that of none.
type Fingerprint uint64

// fingerprintDigits is how it is written: lower-case hexadecimal.
const fingerprintDigits = 16

// FingerprintOf returns the fingerprint of a secret, and 0 for an empty one.
func FingerprintOf(secret string) Fingerprint {
	if secret == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(secret))
	return Fingerprint(binary.BigEndian.Uint64(sum[:]))
}

// issued returns the fingerprint of a refresh token that was given again so often. No token
// has the byte in it.
func issued(secret string, again uint32) Fingerprint {
	if again == 0 {
		return FingerprintOf(secret)
	}
	return FingerprintOf(secret + "\x00" + strconv.FormatUint(uint64(again), 10))
}

// String returns it in hexadecimal.
func (f Fingerprint) String() string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(f)))
}

// MarshalText writes it in hexadecimal.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads it. The first release wrote the whole SHA-256.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*f = 0
		return nil
	}
	if len(text) != fingerprintDigits && len(text) != 2*sha256.Size {
		return errFingerprint
	}
	n, err := strconv.ParseUint(string(text[:fingerprintDigits]), 16, 64)
	if err != nil {
		return errFingerprint
	}
	*f = Fingerprint(n)
	return nil
}

var errFingerprint = errors.New("a fingerprint of it is damaged")

// MarkOf returns the mark of a token that an attempt consumed.
func MarkOf(f Fingerprint, number uint32) Mark {
	m := Mark{Number: number}
	binary.BigEndian.PutUint64(m.Fingerprint[:], uint64(f))
	return m
}

// Token returns the fingerprint of the token that it marks.
func (m Mark) Token() Fingerprint {
	return Fingerprint(binary.BigEndian.Uint64(m.Fingerprint[:]))
}

// MarshalText writes a mark as "<fingerprint> <number>".
func (m Mark) MarshalText() ([]byte, error) {
	text := make([]byte, 0, 2*fingerprintDigits)
	text = append(hex.AppendEncode(text, m.Fingerprint[:]), ' ')
	return strconv.AppendUint(text, uint64(m.Number), 10), nil
}

// UnmarshalText reads one.
func (m *Mark) UnmarshalText(text []byte) error {
	print, number, ok := strings.Cut(string(text), " ")
	if !ok {
		return errFingerprint
	}
	var f Fingerprint
	if err := f.UnmarshalText([]byte(print)); err != nil {
		return err
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return errFingerprint
	}
	*m = MarkOf(f, uint32(n))
	return nil
}

// FingerprintOfAll returns the fingerprint of strings, slices and maps of strings
// together.
func FingerprintOfAll(values ...any) Fingerprint {
	text, _ := json.Marshal(values) // of what was said
	return FingerprintOf(string(text))
}
