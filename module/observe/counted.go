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
// configurations, to be given back with ReleaseCounts. "" is for requests of which nobody
// knows whose token they want.
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

// ofNobody are the requests of which nobody knows whose token they want, nil if there are
// none.
func ofNobody() *Requests {
	counted.Lock()
	defer counted.Unlock()
	if n := counted.clients[""]; n != nil && n.Requests.any() {
		return &n.Requests
	}
	return nil
}
