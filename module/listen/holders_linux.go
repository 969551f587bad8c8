package listen

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Holders are the processes of this network namespace that listen on an address, as far as
// that can be told.
func (a Address) Holders() (all []Process) {
	inodes := make(map[string]bool) // whether they were found in a process
	for _, inode := range a.sockets() {
		inodes[inode] = false
	}
	if len(inodes) == 0 {
		return nil
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	links = append(links, ownDescriptors()...)
	for _, link := range links {
		target, err := os.Readlink(link)
		inode, ok := strings.CutPrefix(target, "socket:[")
		inode = strings.TrimSuffix(inode, "]")
		if _, listens := inodes[inode]; err != nil || !ok || !listens {
			continue
		}
		inodes[inode] = true
		all = append(all, process(strings.Split(link, "/")[2]))
	}
	for _, found := range inodes {
		if !found {
			all = append(all, Process{})
		}
	}
	slices.SortFunc(all, func(p, q Process) int { return p.PID - q.PID })
	return slices.Compact(all)
}

// sockets are the inodes of those that somebody listens with on an address.
func (a Address) sockets() []string {
	if a.unix() {
		return listeningAt(a.HostPort)
	}
	host, text, err := net.SplitHostPort(a.HostPort)
	port, portErr := strconv.ParseUint(text, 10, 16)
	if err != nil || portErr != nil {
		return nil
	}
	return append(listening("/proc/net/tcp", host, uint16(port)), listening("/proc/net/tcp6", host, uint16(port))...)
}

// ownDescriptors are those of this process, which may not be among those that can be seen:
// one whose memory is protected belongs to root there.
func ownDescriptors() []string {
	entries, _ := os.ReadDir("/proc/self/fd")
	links := make([]string, 0, len(entries))
	for _, entry := range entries {
		links = append(links, "/proc/self/fd/"+entry.Name())
	}
	return links
}

func process(pid string) Process {
	if pid == "self" || pid == strconv.Itoa(os.Getpid()) {
		return Process{PID: os.Getpid(), Name: filepath.Base(os.Args[0]), Own: true}
	}
	n, _ := strconv.Atoi(pid)
	name, _ := os.ReadFile("/proc/" + pid + "/comm")
	return Process{PID: n, Name: strings.TrimSpace(string(name))}
}

// listening returns the inodes of the sockets in a table of the kernel's that listen on the
// port and on an interface that the host names.
func listening(table, host string, port uint16) (inodes []string) {
	text, err := os.ReadFile(table)
	if err != nil {
		return nil
	}
	const listens = "0A"
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != listens {
			continue
		}
		local, ok := parseAddress(fields[1])
		if ok && local.Port() == port && overlaps(local.Addr(), host) {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}

// listeningAt returns the same of the unix sockets of a path.
func listeningAt(path string) (inodes []string) {
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil
	}
	const acceptsConnections = 0x10000
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 8)
		if len(fields) < 8 || fields[7] != path {
			continue
		}
		if flags, err := strconv.ParseUint(fields[3], 16, 32); err == nil && flags&acceptsConnections != 0 {
			inodes = append(inodes, fields[6])
		}
	}
	return inodes
}

// overlaps reports whether a socket on one interface keeps others off another.
func overlaps(socket netip.Addr, host string) bool {
	wanted, err := netip.ParseAddr(host)
	if err != nil || wanted.IsUnspecified() || socket.IsUnspecified() {
		return true // every interface, or a name
	}
	return socket.Unmap() == wanted.Unmap()
}

// parseAddress reads an address as the kernel writes it: words of 32 bits in the order of
// the machine's bytes, in hexadecimal digits.
func parseAddress(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(address)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.NativeEndian.Uint32(b[i:]))
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip, uint16(n)), ok
}
