package inject

import "net/http"

// ourPrefix begins the names of headers with which a program asks Lamplighter for a token, and
// tells it of one. They are nobody else's business, and one of them may hold a secret.
const ourPrefix = "Lamplighter-"

// WithoutOurs takes the headers that are for Lamplighter out of those of a request.
func WithoutOurs(h http.Header) {
	for key := range h {
		if isOurs(key) {
			delete(h, key)
		}
	}
}

func isOurs(name string) bool {
	return len(name) > len(ourPrefix) && name[0]|0x20 == 'l' && alikeHeader(name[:len(ourPrefix)], ourPrefix)
}
