package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestMemoryIsNeitherDumpedNorReadByOthers(t *testing.T) {
	if err := protectMemory(); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("core dumps of %+v bytes: %v", limit, err)
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("dumpable %d: %v", dumpable, err)
	}
}
