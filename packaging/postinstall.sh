#!/bin/sh
# A service that runs is started anew after an upgrade; a first installation starts
# nothing, for there is nothing to do before somebody has written a Caddyfile; nor does one
# after a removal, which took the service out of those that start, though dpkg names the
# version before then, too. What starts is a link, as systemctl enable makes it.
# dpkg calls this with "configure" and the version before, rpm with how many there are.
set -e
before=
case "$1" in
configure) before=$2 ;;
1) ;;
[0-9]*) before=another ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	if [ -n "$before" ] && ! systemctl try-restart lamplighter.service; then
		echo "lamplighter: the new version is installed and DOES NOT START: see 'journalctl -u lamplighter' and" >&2
		echo "lamplighter: 'lamplighter validate --config /etc/lamplighter/Caddyfile'; the records are as they were" >&2
	fi
fi
starts=
for link in /etc/systemd/system/*.wants/lamplighter.service /etc/systemd/system/*.requires/lamplighter.service; do
	if [ -L "$link" ]; then
		starts=yes
	fi
done
if [ -n "$before" ] && [ -z "$starts" ] && [ -d /run/systemd/system ]; then
	echo "lamplighter: the service does not start with the machine, as after a removal: systemctl enable --now lamplighter"
fi
if [ -z "$before" ]; then
	echo "lamplighter: write /etc/lamplighter/Caddyfile, then systemctl enable --now lamplighter"
fi
