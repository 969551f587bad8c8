package recordstore

import (
	"context"

	"lamplighter/module/internal/record"
)

// maxMoves bounds how many tombstones are followed.
const maxMoves = 16

// Follow returns where a grant is that was carried over more than once: the last place
// that the records of this store tell of.
func Follow(ctx context.Context, s Store, to record.Moved) record.Moved {
	for range maxMoves {
		if to.Store != "" {
			return to
		}
		rec, err := s.Load(ctx, to.Client)
		if err != nil || rec.Moved == nil {
			return to
		}
		offset := to.Offset
		to = *rec.Moved
		to.Offset += offset
	}
	return to
}
