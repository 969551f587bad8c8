package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// state is what survives a restart.
type state struct {
	// Key signs tokens. Because a token's signature tells what was once issued,
	// no list of spent tokens is needed.
	Key    []byte  `json:"key"`
	Grants []grant `json:"grants"`
	Counters
}

// grant is what one login allows. Its tokens are known by their generations.
type grant struct {
	Seed      int       `json:"seed"`    // of the first refresh token
	Refresh   int       `json:"refresh"` // of the only refresh token that is not spent
	Access    int       `json:"access"`  // of the only access token that may be valid
	ExpiresAt time.Time `json:"expires_at"`
	Revoked   bool      `json:"revoked"`

	// Thumbprint is that of the key that the access token is bound to, "" if it is to none.
	Thumbprint string `json:"jkt,omitempty"`
}

// Counters count what happened since the state file was made.
type Counters struct {
	TokenRequests      int `json:"token_requests"`
	Refused            int `json:"refused"`
	SpentRefreshTokens int `json:"spent_refresh_tokens"`
	Faults             int `json:"faults"`
	APIOK              int `json:"api_ok"`
	APIUnauthorized    int `json:"api_unauthorized"`

	// Of proofs of possession: how many came, how many of them not for the first time, and how
	// many named no nonce that is good now.
	Proofs         int `json:"proofs"`
	ReplayedProofs int `json:"replayed_proofs"`
	NoncesDemanded int `json:"nonces_demanded"`

	// Generation is how many refreshes succeeded, and the newest tokens' number.
	Generation int `json:"generation"`
}

func loadState(file string) (state, error) {
	fresh := state{Key: make([]byte, 32)}
	_, _ = rand.Read(fresh.Key) // never fails
	if file == "" {
		return fresh, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return state{}, err
	}
	var st state
	if err := json.Unmarshal(data, &st); err != nil {
		return state{}, fmt.Errorf("%s is damaged: %w", file, err)
	}
	if len(st.Key) == 0 || len(st.Grants) == 0 {
		return state{}, fmt.Errorf("%s is not the state of an authorization server", file)
	}
	return st, nil
}

// save replaces the file in one step, so that a kill leaves the old or the new
// one. It is not fsynced: a killed process is all that it must survive.
func (st *state) save(file string) error {
	if file == "" {
		return nil
	}
	data, err := json.MarshalIndent(st, "", "\t")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = temp.Write(append(data, '\n'))
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}

func (st *state) clone() state {
	next := *st
	next.Grants = slices.Clone(st.Grants)
	return next
}
