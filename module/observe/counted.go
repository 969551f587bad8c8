package observe

import "sync"

// counted are the counts of all clients, by name as in the metrics: a record that
// moves to another store gets another keeper, but counts go on.
var counted struct {
	sync.Mutex
	clients map[string]*sharedCounts
}

// sharedCounts are there as long as a configuration uses them.
type sharedCounts struct {
	Counts
	users int
}

// CountsOf returns the counts of the client of that name, which are the same for all
// configurations, to be given back with ReleaseCounts.
func CountsOf(client string) *Counts {
	counted.Lock()
	defer counted.Unlock()
	if counted.clients[client] == nil {
		if counted.clients == nil {
			counted.clients = make(map[string]*sharedCounts)
		}
		counted.clients[client] = new(sharedCounts)
	}
	counted.clients[client].users++
	return &counted.clients[client].Counts
}

// ReleaseCounts gives them back. They are forgotten with the last configuration that has
// the client.
func ReleaseCounts(client string) {
	counted.Lock()
	defer counted.Unlock()
	if counted.clients[client].users--; counted.clients[client].users == 0 {
		delete(counted.clients, client)
	}
}
