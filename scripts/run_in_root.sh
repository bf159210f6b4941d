#!/usr/bin/env bash
# Runs a command in a Debian root (scripts/make_debian_root.sh), with this tree at its own path and this machine's files below /host. In
# namespaces of its own: what it mounts and what it leaves running is gone when it ends. As root, or where users may make namespaces.
#
# A root of another architecture needs the kernel's help to start programs in an emulator. Since Linux 6.7 a namespace can ask for that
# without anybody else noticing; before, the machine has to be set up for it (Debian: binfmt-support beside qemu-user-static).
#
# usage: scripts/run_in_root.sh ROOT COMMAND…      variables whose names begin with MIGPROF_, QEMU_ or KILL_ are passed on
set -euo pipefail
tree=$(realpath "$(dirname "$0")/..")
root=$(realpath "$1")
shift
mkdir -p "$root$tree" "$root/host"

emulator=
if [[ -e $root/lib/ld-linux-aarch64.so.1 && $(uname -m) != aarch64 ]]; then
  emulator=$(command -v qemu-aarch64-static) || { echo "run_in_root: qemu-aarch64-static is needed (Debian: qemu-user-static)" >&2; exit 1; }
fi
namespaces=(unshare --mount --pid --fork --kill-child)
if [[ $(id -u) -ne 0 ]]; then
  namespaces+=(--user --map-root-user)
elif [[ -n $emulator && ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]]; then
  # With all users in it, which only root can ask for: by way of a process that holds the namespace.
  unshare --user sleep infinity &
  holder=$!
  trap 'kill $holder' EXIT
  until [[ $(readlink /proc/$holder/ns/user) != $(readlink /proc/self/ns/user) ]]; do sleep 0.05; done
  for map in uid_map gid_map; do echo 0 0 4294967295 >/proc/$holder/$map; done
  namespaces=(nsenter --target $holder --user "${namespaces[@]}")
fi
variables=()
while IFS= read -r name; do variables+=("$name=${!name}"); done < <(compgen -e | grep -E '^(MIGPROF|QEMU|KILL)_' || true)

"${namespaces[@]}" bash -euc '
  root=$1 tree=$2 emulator=$3; shift 3
  mount --make-rprivate /
  mount --rbind "$tree" "$root$tree"
  mount --rbind / "$root/host"
  mount --rbind /dev "$root/dev"
  mount --rbind /sys "$root/sys"
  mount -t proc proc "$root/proc"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  if [[ -n $emulator && ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]]; then
    mount -t binfmt_misc binfmt_misc "$root/proc/sys/fs/binfmt_misc"
    magic="\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    mask="\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    echo ":qemu-aarch64:M::$magic:$mask:$emulator:F" >"$root/proc/sys/fs/binfmt_misc/register"
  fi
  exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"' \
  - "$root" "$tree" "$emulator" "${variables[@]}" "$@"
