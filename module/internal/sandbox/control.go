package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// Stats are the counters and what is the case now.
type Stats struct {
	Counters

	// Refreshed is how many token requests succeeded.
	Refreshed int `json:"refreshed"`

	// Grants is how many logins there were.
	Grants int `json:"grants"`

	// Revoked says that the newest grant is dead.
	Revoked bool `json:"revoked"`

	// ExpiresIn is how many seconds the newest grant's access token has left.
	ExpiresIn float64 `json:"expires_in"`

	// PendingFaults is how many faults are still to be applied; one that lasts
	// for ever counts once.
	PendingFaults int `json:"pending_faults"`
}

// Stats returns what has happened so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := s.state.Grants[len(s.state.Grants)-1]
	out := Stats{
		Counters:  s.state.Counters,
		Refreshed: s.state.Generation,
		Grants:    len(s.state.Grants),
		Revoked:   newest.Revoked,
	}
	if left := time.Until(newest.ExpiresAt); left > 0 && !newest.Revoked {
		out.ExpiresIn = left.Round(time.Millisecond).Seconds()
	}
	for _, fault := range s.faults {
		out.PendingFaults += max(fault.Times, 1)
	}
	return out
}

func (s *Server) serveStats(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Stats())
}

func (s *Server) serveFaults(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	faults := append([]Fault{}, s.faults...)
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, faults)
}

func (s *Server) addFaults(w http.ResponseWriter, r *http.Request) {
	faults, err := readFaults(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	s.mu.Lock()
	s.faults = slices.Concat(s.faults, faults)
	s.mu.Unlock()
	s.serveFaults(w, r)
}

// readFaults reads one fault, or a list.
func readFaults(r io.Reader) ([]Fault, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var faults []Fault
	if err := dec.Decode(&faults); err != nil {
		return nil, fmt.Errorf("neither a fault nor a list of faults: %w", err)
	}
	if len(faults) == 0 {
		return nil, errors.New(`no fault is given, such as {"kind":"cut_after"}`)
	}
	for i := range faults {
		if err := faults[i].prepare(); err != nil {
			return nil, err
		}
	}
	return faults, nil
}

func (s *Server) clearFaults(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.faults = nil
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) serveRevoke(w http.ResponseWriter, _ *http.Request) {
	err := s.update(func(st *state) error {
		st.revoke()
		return nil
	})
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	s.report(EventRevoked, s.Stats().Generation, "every token is dead, until somebody logs in again")
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) serveGrant(w http.ResponseWriter, _ *http.Request) {
	var seed string
	err := s.update(func(st *state) error {
		st.login()
		seed = st.seed()
		return nil
	})
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	s.report(EventGranted, s.Stats().Generation, "somebody logged in: there is a new refresh token")
	writeJSON(w, http.StatusOK, map[string]string{"refresh_token": seed})
}
