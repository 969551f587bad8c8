package filestore

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// networkFileSystems are those of other machines, by what statfs(2) calls them.
var networkFileSystems = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.CODA_SUPER_MAGIC: "Coda",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.V9FS_MAGIC:       "9P",
	unix.FUSE_SUPER_MAGIC: "FUSE",
}

// NetworkFileSystem names the file system that a directory is on, or will be
// made on, if its locks and syncs may not be what they promise.
func NetworkFileSystem(dir string) (kind string, ok bool) {
	var st unix.Statfs_t
	for unix.Statfs(dir, &st) != nil {
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
	kind, ok = networkFileSystems[int64(st.Type)&0xffffffff]
	return kind, ok
}
