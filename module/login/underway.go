package login

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"
)

// Bounds of log-ins under way.
const (
	loginLifetime  = 10 * time.Minute
	loginsAtOnce   = 64
	deviceInterval = 5 * time.Second // RFC 8628 section 3.2
	deviceCodeType = "urn:ietf:params:oauth:grant-type:device_code"
)

// underWay is a log-in between its steps. It is made of secrets.
type underWay struct {
	client      string
	redirectURI string
	issuer      string // where it went to, "" if nobody has configured that
	namesIssuer bool   // whose answers say whose they are
	verifier    string
	deviceCode  string
	proves      string // the thumbprint of the key that its token is to be bound to, "" for none
	trouble     string // why the last answer was no help, "" if it was one
	interval    time.Duration
	ends        time.Time
}

// logins are those of the process: a reload amid one does not end it.
var logins = struct {
	sync.Mutex
	byState map[string]*underWay
}{byState: make(map[string]*underWay)}

// remember keeps a log-in and returns the state that names it.
func remember(under *underWay) (state string) {
	logins.Lock()
	defer logins.Unlock()
	oldest := ""
	for s, l := range logins.byState {
		if time.Now().After(l.ends) {
			delete(logins.byState, s)
			continue
		}
		if oldest == "" || l.ends.Before(logins.byState[oldest].ends) {
			oldest = s
		}
	}
	if len(logins.byState) >= loginsAtOnce {
		delete(logins.byState, oldest)
	}
	state = rand.Text()
	logins.byState[state] = under
	return state
}

func continueLogin(state, client string) (*underWay, error) {
	logins.Lock()
	defer logins.Unlock()
	under := logins.byState[state]
	if under != nil && under.client == client && under.trouble != "" && time.Now().After(under.ends) {
		return nil, fmt.Errorf("client %s: the time of the log-in is over, and this came of the last question: %s", client, under.trouble)
	}
	if under == nil || under.client != client || time.Now().After(under.ends) {
		return nil, fmt.Errorf("client %s: there is no such log-in under way, or its time is over: begin again with 'lamplighter tokens login %s'", client, client)
	}
	return under, nil
}

func endLogin(state string) {
	logins.Lock()
	defer logins.Unlock()
	delete(logins.byState, state)
}
