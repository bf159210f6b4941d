#!/usr/bin/env bash
# Makes a folder that holds a Debian system of any release and architecture, to build against or to run programs in (chroot).
#
# Packages are downloaded from where this machine's own come from, signatures checked, and unpacked; nothing of them is executed, so that no
# emulator, no root and no debootstrap is needed, and this machine's packages are not touched.
#
# usage: scripts/make_debian_root.sh FOLDER SUITE ARCHITECTURE PACKAGE...      e.g. build/roots/bullseye bullseye amd64 python3
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "$1") suite=$2 architecture=$3
shift 3
packages=(base-files base-passwd bash coreutils dash findutils grep libc-bin procps sed util-linux "$@")

want="$(sha256sum "$0" | cut -d' ' -f1) $suite $architecture ${packages[*]}"
if [[ -f $folder/.made-with && $(<"$folder/.made-with") == "$want" ]]; then
  exit 0
fi
for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null || { echo "roots: $tool is needed: this works on Debian only" >&2; exit 1; }
done

# Where this machine's packages of its own release come from: what updates and security fixes come from has no other releases.
sources() {
  (. /etc/os-release && apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    sed -n "s/^Debian $VERSION_CODENAME main //p")
}
repository=$(sources)
if [[ -z $repository ]]; then
  as_root=()
  if [[ $(id -u) -ne 0 ]]; then as_root=(sudo); fi
  "${as_root[@]}" apt-get update -q >/dev/null
  repository=$(sources)
fi
[[ -n $repository ]] || { echo "roots: no package source of Debian is configured on this machine" >&2; exit 1; }

echo "roots: making a Debian '$suite' for $architecture in ${folder#"$PWD"/}"
rm -rf "$folder"
state=$folder.apt
mkdir -p "$folder" "$state"/{lists/partial,cache/archives/partial,parts}
: >"$state/status"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
while read -r uri; do echo "deb [signed-by=$keyring] $uri $suite main"; done <<<"$repository" >"$state/sources.list"
apt=(apt-get -q -y -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=root
  -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache"
  -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts="$state/parts" -o Dir::Etc::Preferences=/dev/null
  -o Dir::Etc::PreferencesParts="$state/parts" -o APT::Install-Recommends=false -o Debug::NoLocking=true)
if ! { "${apt[@]}" update && "${apt[@]}" install --download-only "${packages[@]}"; } >"$state/apt.log" 2>&1; then
  tail -n 20 "$state/apt.log" >&2
  echo "roots: downloading failed; the whole log is $state/apt.log" >&2
  exit 1
fi

# As every Debian since 12 and most of 11: /bin and its like are links. Unpacking follows them.
for name in bin sbin lib lib64; do
  mkdir -p "$folder/usr/$name"
  ln -s "usr/$name" "$folder/$name"
done
for package in "$state"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink --no-same-owner -C "$folder"
done
# Links for compilers are followed from outside, where / is another place.
find "$folder"/usr/lib{,64} -type l -lname '/*' | while read -r link; do
  ln -sfn "$(realpath -ms --relative-to="$(dirname "$link")" "$folder$(readlink "$link")")" "$link"
done
# What the packages' own scripts would have done, as far as programs ask for it.
for name in passwd group; do cp "$folder/usr/share/base-passwd/$name.master" "$folder/etc/$name"; done
ln -sf dash "$folder/bin/sh"
chmod 1777 "$folder/tmp"
mkdir -p "$folder"/{proc,sys,dev,tmp,root}
rm -rf "$state"
echo "$want" >"$folder/.made-with"
