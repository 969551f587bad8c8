package grant

import (
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/orders"
	"lamplighter/module/internal/grant/rival"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

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
	Joining
	Revoking
)

// Live is the access token that is injected. It never changes.
type Live struct {
	Token      *record.AccessToken // of a record, which never changes
	Generation uint64
	Expires    when.Instant
}

// plan is the attempt under way.
type plan struct {
	choice.Choice

	settings *step.Settings     // obeyed when it began
	stale    bool               // others are, since it looks: what is read now may be theirs
	seed     string             // Inputs.Seed
	fault    string             // Inputs.SeedFault
	outdated *finding.Facts     // Inputs.Outdated
	connects string             // the refresh token that the prepared request presents
	proof    record.Proof       // Inputs.Proof
	proves   record.Fingerprint // the ID of the key that the prepared request was to prove, 0 if one was to be made
	proved   record.Key         // … and the key that it proves

	ask   bool
	order *orders.Order

	number    uint32
	began     int64 // when the connection was asked for; monotonic
	connected bool  // a prepared request waits
	calledOff bool  // … or did: a stop came, and perhaps another start
	first     bool  // no attempt has failed since the last success
	held      bool  // requests are held back
	probes    bool  // the lease is only looked at
	takeover  bool  // another holder has presented it, and may have an answer
	alone     bool  // the second look saw that the store knows nothing of the token
	sent      when.Instant

	write   write
	writing *record.Record
	into    *record.Moved // where the grant was carried over to, if that is written
	tries   uint8         // how often the write was begun anew
	answer  *step.Answer  // whose outcome is written
	same    bool          // it repeats the access token that there was
	rotated bool          // it brought another refresh token

	told      bool // trouble was told
	fulfilled bool // another request brought what the order asks for
	revoked   bool
	refused   finding.Trouble // why the order was not even tried, or how its candidate was refused
	judged    bool            // refused was told
}

// write is what a record is written for.
type write uint8

const (
	noWrite write = iota
	journal       // an attempt: dropped on a conflict, and begun anew
	note          // that nothing was consumed, a pause, a candidate: dropped if it cannot be written
	verdict       // a refusal
	keep          // holds what only we have: an answer, or a revocation
)

// State is all that is known of a grant. Next changes a copy; what copies share
// is never written to. New makes the first.
type State struct {
	settings *step.Settings // obeyed; nil if the client is stopped
	process  string         // names this process in what it writes
	keeper   uint32         // … and this client in the process
	serial   uint32         // of its writes

	phase   Phase
	aside   step.Fault // Damaged or Foreign: what the store has, and ours is written over
	inLine  bool       // stands in line to ask
	called  bool       // has the turn
	leased  bool
	again   bool // to look once more
	putOff  bool // an attempt begins anew in a moment
	known   bool // a look has ended since things changed
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

	schedule when.Schedule
	trouble  finding.Trouble
	forced   forced
	rare     *rare
}

// rare is what most clients never need.
type rare struct {
	orders  orders.Queue
	trial   trial // of a candidate beside a grant that lives
	denied  denial
	left    []record.Attempt // of the grant that was carried over to another record: it may come back
	rival   rival.Rival
	doubt   rival.Doubt
	rested  uint32 // our attempt after which the pause was written that the record has: the schedule has it, by a clock that nobody sets
	contest when.Pauses
	forced  when.Pauses // of refreshes that 401s bring about
	saving  when.Backoff
	warned  int64 // when the end of the grant was told of; monotonic
}

// trial is the attempt to replace a grant that lives by a candidate. What is wrong
// with that one must not keep the living one from being refreshed: until an answer
// judges it, it is tried at times of its own.
type trial struct {
	token record.Fingerprint
	when.Backoff
}

// denial is of a refresh token of the configuration that is another client's. It is
// not tried again as long as it is.
type denial struct {
	token record.Fingerprint
	facts *finding.Facts
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
