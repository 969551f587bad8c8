package record

import (
	"runtime"
	"testing"
)

// fullRecord is one whose lists are full.
func fullRecord() *Record {
	r := Merge(rotated(keptMarks+10), everything())
	r.unknown = nil
	return r
}

func BenchmarkEncode(b *testing.B) {
	r := fullRecord()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	data := encoded(b, fullRecord())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, Format); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	old := fullRecord()
	p := Presented{RefreshToken: old.Current(grant).RefreshToken, Binding: Binding{Grant: grant}}
	next := old.Answered(old.Number+1, p, Token{RefreshToken: "next"})
	b.ReportAllocs()
	for b.Loop() {
		Merge(old, next)
	}
}

func TestADecodedRecordWithFullListsTakesLittleMemory(t *testing.T) {
	data := encoded(t, fullRecord())
	const n = 1000
	records := make([]*Record, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range records {
		records[i] = decoded(t, data)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int(after.HeapAlloc-before.HeapAlloc) / n
	runtime.KeepAlive(records)
	t.Logf("%d bytes, encoded %d", each, len(data))
	if each > 4<<10 {
		t.Errorf("a decoded record takes %d bytes", each)
	}
}
