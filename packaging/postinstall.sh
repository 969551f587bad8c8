#!/bin/sh
# A service that runs is started anew after an upgrade; a first installation starts
# nothing, for there is nothing to do before somebody has written a Caddyfile.
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
if [ -z "$before" ]; then
	echo "lamplighter: write /etc/lamplighter/Caddyfile, then systemctl enable --now lamplighter"
fi
