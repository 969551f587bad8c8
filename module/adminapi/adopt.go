package adminapi

// AdoptRequest is the body of an order to carry another record's grant over to a
// client.
type AdoptRequest struct {
	// Client is the name that the grant has now. Default: the client's own.
	Client string `json:"client,omitempty"`

	// Store is where its record is: a directory, or the JSON of a store. Default: the
	// store of the client.
	Store string `json:"store,omitempty"`
}

// AdoptResult says that a grant was carried over.
type AdoptResult struct {
	// Client is the name that the grant has now.
	Client string `json:"client"`

	// From is the record that it was in.
	From string `json:"from"`

	// Record is the one that it is in.
	Record string `json:"record"`
}
