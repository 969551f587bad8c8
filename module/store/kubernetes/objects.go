package kubernetes

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"time"

	"lamplighter/module/store"
)

// What is written at each of our objects beside the data. Names of them are our own, so
// that nobody's labels are overwritten, say Helm's app.kubernetes.io/managed-by.
const (
	kindKey  = "lamplighter/store" // label: what it is
	nameKey  = "lamplighter/name"  // annotation: the name that its own is made of
	writeKey = "lamplighter/write" // annotation: a random ID of the last write
	epochKey = "lamplighter/epoch" // annotation of the store's own object

	kindObject = "object"
	kindLease  = "lease"
	kindOwn    = "own"
)

// dataKey is the key of an object's bytes in its Secret.
const dataKey = "record"

var labels = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// object is the name of what keeps an object, or of its Lease. Two names could become one
// by a hash of 32 bits; nameKey tells them apart then.
func (c *config) object(name string) string {
	if part, ok := store.ClaimsPart(name); ok {
		if c.named {
			return c.own()
		}
		return c.prefix + "claims." + part
	}
	if labels.MatchString(name) {
		return c.prefix + name
	}
	sum := sha256.Sum256([]byte(name))
	dashed := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
	return c.prefix + dashed + "-" + hex.EncodeToString(sum[:4])
}

// own is the name of the Secret of the store itself, which keeps its epoch and, with
// objects named, the claims. No client's has a dot after the prefix.
func (c *config) own() string { return c.prefix + "claims.all" }

// newID returns the ID of a write.
func newID() string { return rand.Text() }

// tagOf is the tag of a version. Numbers come again after a restored backup, IDs do not;
// and who changes an object by hand leaves its ID as it was.
func tagOf(m *meta) store.Tag { return store.Tag(m.ResourceVersion + "." + m.Annotations[writeKey]) }

// split undoes tagOf. It reports whether the tag is one of ours.
func split(tag store.Tag) (version, id string, ok bool) {
	version, id, ok = strings.Cut(string(tag), ".")
	return version, id, ok && version != "" && id != ""
}

// meta is what Kubernetes keeps of every object.
type meta struct {
	Name            string            `json:"name,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	ManagedFields   []struct {
		Manager     string    `json:"manager"`
		Subresource string    `json:"subresource"`
		Time        time.Time `json:"time"`
	} `json:"managedFields,omitempty"`
}

// secret is a Secret, or what is known of it without its data.
type secret struct {
	APIVersion string            `json:"apiVersion,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	Metadata   meta              `json:"metadata"`
	Type       string            `json:"type,omitempty"`
	Data       map[string][]byte `json:"data,omitempty"`
}

// written reports whether we ever wrote it: one that was made for us is empty.
func (s *secret) written() bool { return s.Metadata.Annotations[writeKey] != "" }

// age is how long ago we wrote it last, by the API server's clock, which tells seconds.
func (m *meta) age(date time.Time) time.Duration {
	age := store.UnknownAge
	if date.IsZero() {
		return age
	}
	for _, f := range m.ManagedFields {
		if f.Manager != manager || f.Subresource != "" || f.Time.IsZero() {
			continue
		}
		if d := max(0, date.Sub(f.Time)); age == store.UnknownAge || d < age {
			age = d
		}
	}
	return age
}
