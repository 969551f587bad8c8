package adminapi

import "context"

// Attendant is the app of a configuration that no instance runs, as commands know it.
type Attendant interface {
	// Attend returns the client of that name, nil if there is none, and the names of all.
	Attend(client string) (c Attended, names []string)
}

// Preparer is an app that knows what its stores need.
type Preparer interface {
	// StoreObjects are the texts of what somebody has to make for the stores of the
	// configuration, one for each that needs anything.
	StoreObjects() []string
}

// Attended is a client that a command works with in its own process, as it would with an
// instance by the admin API. It does nothing by itself.
type Attended interface {
	// Open opens the store of the client. It comes before anything else.
	Open(ctx context.Context) error

	// Login takes a step of a log-in. From the first one on the client is at work: it
	// takes the lease, and writes the record as ever.
	Login(ctx context.Context, req LoginRequest) (*LoginAnswer, error)

	// Adopt carries another record's grant over to the client.
	Adopt(ctx context.Context, req AdoptRequest) (*AdoptResult, error)

	// MoveTo carries the client's grant over to another store: the directory of its
	// records, or the JSON of a store.
	MoveTo(ctx context.Context, store string) (*AdoptResult, error)

	// Close ends the client's work, and gives the store back.
	Close()
}
