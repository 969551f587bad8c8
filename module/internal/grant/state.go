package grant

import (
	"time"

	"lamplighter/module/internal/record"
)

// Settings are what decisions need of one started configuration.
type Settings struct {
	// Rotating says that the grant presents a refresh token that an answer may
	// replace. Only then are lease, journal and a writable store required.
	Rotating bool

	// RequireRotation raises an alarm at a success without a new refresh token.
	RequireRotation bool

	// Drain says that the old access token dies the moment a new one is issued
	// (rotation_overlap none), so that requests are held while it is replaced.
	Drain bool

	// RefreshWindowRatio is the share of the lifetime that remains when the
	// token is refreshed.
	RefreshWindowRatio float64

	// MinRefreshInterval is the least time between two token requests.
	MinRefreshInterval time.Duration

	// RefreshTokenExpiresIn is the lifetime of a refresh token whose answer names
	// none, 0 if it has no end.
	RefreshTokenExpiresIn time.Duration

	// Timeout bounds one token request, from the connection on.
	Timeout time.Duration

	// Bound stands for what the binding is resolved from, as it is written: settings
	// with another one may want tokens for another service, of which nobody knows
	// before they are resolved.
	Bound record.Fingerprint

	// Lease is how long a lease outlives its holder, of a store that replicas share; 0
	// if it ends with its holder.
	Lease time.Duration

	// ReuseGrace is how long the server forgives that a refresh token is presented
	// again that an answer has consumed.
	ReuseGrace time.Duration
}

// Phase is what the grant awaits. The table of the package says what follows.
type Phase uint8

// The phases.
const (
	Idle Phase = iota
	Looking
	Connecting
	Leasing
	LookingAgain
	Journaling
	Claiming
	Holding
	Asking
	Saving
	Settling
	Revoking
)

// Condition is how a client is, apart from whether it has a valid token.
type Condition uint8

// The conditions of trouble; the zero value is none.
const (
	Well Condition = iota
	Backoff
	AwaitingGrant
	Lost
	Misconfiguration
)

// Trouble says why a client is not well. The zero value is no trouble.
type Trouble struct {
	Condition Condition
	Cause     string
	Case      string // which row of the table of causes, where a cause has several
	Facts     *Facts
	At        int64 // Unix time in ns

	beside bool // of a candidate beside a grant that lives
	local  bool // found before anything was asked or written, and gone when it is not found again
}

// Blocking reports whether waiting for a token is pointless.
func (t *Trouble) Blocking() bool { return t.Condition >= AwaitingGrant }

// NeedsGrant reports whether only a new refresh token helps.
func (t *Trouble) NeedsGrant() bool { return t.Condition == AwaitingGrant || t.Condition == Lost }

func (f *Facts) same(other *Facts) bool {
	if f == nil || other == nil {
		return f == other
	}
	return *f == *other
}

// Facts are those of a case, for whoever puts it into words. They hold no secret
// and are fit to print.
type Facts struct {
	Kind      string        // which row of the table of causes, if the cause alone does not tell
	Detail    string        // what a server, an error or a file says
	Remedy    string        // what to do about an answer, if that is known
	DeadGrant string        // the settings that would tell a dead grant from a refused client
	Loss      *record.Loss  // how the grant ended
	Endpoint  string        // whose the refresh token is
	Since     time.Time     // since when the settings are known to work, or something lasts
	Wait      time.Duration // how long the server wants not to be asked
	Ends      time.Time     // when the grant ends by itself
	Imported  bool          // the candidate was supplied by hand
	Accepted  bool          // the same settings have worked before
	Owner     string        // the client that a refresh token belongs to
	Place     string        // … and where its record is
	From      string        // … in which store, if that is another one
}

// Order is what an operator asks for.
type Order struct {
	ID     uint32
	Import string     // the refresh token to import; "" for a refresh
	Revoke bool       // ends the grant instead
	Force  bool       // asks although the server named a time to wait
	Again  bool       // imports although the token was refused, or is another client's
	Key    record.Key // that the imported token is bound to, zero if nobody says so

	revive     bool   // the grant was lost when it was given, and is presented once more
	generation uint64 // at the time: a later one is what a refresh was to bring
	counted    bool   // generation is set
	told       bool   // it was taken up before, and had to go back
}

// Live is the access token that is injected. It never changes.
type Live struct {
	Token      *record.AccessToken // of a record, which never changes
	Generation uint64
	Expires    Instant
}

// plan is the attempt under way.
type plan struct {
	record.Presented

	settings *Settings          // obeyed when it began
	seed     string             // Inputs.Seed
	fault    string             // Inputs.SeedFault
	outdated *Facts             // Inputs.Outdated
	connects string             // the refresh token that the prepared request presents
	proof    record.Proof       // Inputs.Proof
	proves   record.Fingerprint // the ID of the key that the prepared request was to prove, 0 if one was to be made
	proved   record.Key         // … and the key that it proves

	ask     bool
	beside  bool // the grant in the record lives, and stays if the candidate is refused
	resting bool // there is a candidate, and it is not tried now
	revived bool // it was refused, and an operator wants it presented once more
	order   *Order

	number    uint32
	began     int64 // when the connection was asked for; monotonic
	connected bool  // a prepared request waits
	calledOff bool  // … or did: a stop came, and perhaps another start
	first     bool  // no attempt has failed since the last success
	held      bool  // requests are held back
	probes    bool  // the lease is only looked at
	takeover  bool  // another holder has presented it, and may have an answer
	alone     bool  // the second look saw that the store knows nothing of the token
	sent      Instant

	write   write
	writing *record.Record
	tries   uint8   // how often the write was begun anew
	answer  *Answer // whose outcome is written
	same    bool    // it repeats the access token that there was
	rotated bool    // it brought another refresh token

	told      bool // trouble was told
	fulfilled bool // another request brought what the order asks for
	revoked   bool
	refused   Trouble // why the order was not even tried, or how its candidate was refused
	judged    bool    // refused was told
}

// write is what a record is written for.
type write uint8

const (
	noWrite write = iota
	journal       // gives way to whatever is stored
	settle        // the request consumed nothing
	verdict       // a refusal
	keep          // holds what only we have: an answer, or a revocation
)

// State is all that is known of a grant. Next changes a copy; what copies share
// is never written to. New makes the first.
type State struct {
	settings *Settings // obeyed; nil if the client is stopped
	process  string    // names this process in what it writes
	keeper   uint32    // … and this client in the process
	serial   uint32    // of its writes

	phase   Phase
	aside   Fault // Damaged or Foreign: what the store has, and ours is written over
	inLine  bool  // stands in line to ask
	called  bool  // has the turn
	leased  bool
	again   bool // to look once more
	putOff  bool // an attempt begins anew in a moment
	settled bool // a look has ended since things changed
	unbound bool // the binding is one of other settings: until they are resolved, no token is injected
	loaded  bool
	unsaved bool // what the record says of the living grant is only in memory
	givenUp bool // nothing more is written: the process ends

	cacheFailed bool // a record that is only a cache could not be written
	revokes     bool // Inputs.Revocable of the last look

	holdsLease int64 // since when another holder keeps the lease; monotonic, 0 if none does
	seen       sighting
	tag        uint64 // the stored record's revision, as last read or written

	plan     *plan // nil unless something is under way
	record   *record.Record
	binding  record.Binding // of the last look
	live     *Live
	accepted uint64 // Inputs.Credentials of the last success
	credits  uint64 // Inputs.Credentials of the last look

	schedule schedule
	trouble  Trouble
	forced   forced
	rare     *rare
}

// rare is what most clients never need.
type rare struct {
	orders  []Order
	wait    int64 // when orders are taken up again; monotonic
	trial   trial // of a candidate beside a grant that lives
	denied  denial
	rival   rival
	doubt   doubt
	contest pauses
	forced  pauses // of refreshes that 401s bring about
	saving  backoff
	warned  int64 // when the end of the grant was told of; monotonic
}

// trial is the attempt to replace a grant that lives by a candidate. What is wrong
// with that one must not keep the living one from being refreshed: until an answer
// judges it, it is tried at times of its own.
type trial struct {
	token record.Fingerprint
	backoff
}

// denial is of a refresh token of the configuration that is another client's. It is
// not tried again as long as it is.
type denial struct {
	token record.Fingerprint
	facts *Facts
}

// sighting is an access token of the record that was looked at: one that had
// expired by then does not come back with the clock.
type sighting struct {
	number  uint32
	request record.Fingerprint
}

// New returns the state of a client that nothing has started yet. process is unique to
// the process, and keeper in it.
func New(process string, keeper uint32) State {
	return State{process: process, keeper: keeper, record: new(record.Record)}
}
