package recordstore

import (
	"encoding/json"

	"lamplighter/module/internal/record"
)

// claimsFormat is the version of an object of claims.
const claimsFormat = 1

// claims say whose each refresh token is, by its fingerprint.
type claims struct {
	Format int                           `json:"format"`
	Claims map[record.Fingerprint]string `json:"claims"`
}

// DecodeClaims returns whose each refresh token is that is in the bytes of a file of
// claims.
func DecodeClaims(data []byte) (map[record.Fingerprint]string, error) {
	var c claims
	switch err := record.Parse(data, &c); {
	case err != nil:
		return nil, err
	case c.Format > claimsFormat:
		return nil, ErrNewer
	case c.Claims == nil:
		c.Claims = make(map[record.Fingerprint]string)
	}
	return c.Claims, nil
}

// EncodeClaims returns the bytes of a file of claims.
func EncodeClaims(known map[record.Fingerprint]string) ([]byte, error) {
	data, err := json.Marshal(claims{Format: claimsFormat, Claims: known})
	return append(data, '\n'), err
}
