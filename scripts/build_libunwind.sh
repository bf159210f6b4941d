#!/usr/bin/env bash
# Builds the position-independent static libunwind that libmigprof.so links.
#
# Distributions ship libunwind.a without -fPIC, and a dynamic libunwind under LD_PRELOAD takes over the C++ exceptions of the
# whole process (docs/injection-safety.md), so migprof links its own copy. The source is the distribution's own source package,
# fetched through the package sources this machine already has; upstream's release archive is the fallback.
#
# usage: scripts/build_libunwind.sh [PREFIX [TRIPLE]]
#   PREFIX  where it is installed, by default build/deps/libunwind
#   TRIPLE  what it is to run on, e.g. aarch64-linux-gnu, by default this machine; TRIPLE-gcc compiles it
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
prefix=$(realpath -m "${1:-build/deps/libunwind}")
triple=${2:-}
compiler=${CC:-${triple:+$triple-g}cc}

# The flags are part of the contract with the recorder; a change of this line rebuilds the library.
#   no per-thread cache  it costs 26 KB of static TLS, and dlopen of the result then fails
#   no block-signals     unwinding never happens in a signal handler here, so masking signals per lookup buys nothing
#   no weak-backtrace    libunwind must not define backtrace() for anybody else
flags=(--disable-shared --with-pic --disable-cxx-exceptions --disable-coredump --disable-ptrace --disable-setjmp
  --disable-minidebuginfo --disable-zlibdebuginfo --disable-weak-backtrace --disable-debug-frame --disable-block-signals
  --disable-conservative-checks --disable-tests --disable-documentation)
cflags="-O2 -g -fPIC -fvisibility=hidden"
upstream_version=1.6.2
upstream_sha256=4a6aec666991fb45d0889c44aede8ad6eb108071c3554fcdff671f9c94794976
upstream_url=https://github.com/libunwind/libunwind/releases/download/v$upstream_version/libunwind-$upstream_version.tar.gz

stamp="$prefix/.built-with"
want="$(sha256sum "$0" | cut -d' ' -f1) $($compiler -dumpfullversion -dumpversion) $triple"
if [[ -f $prefix/lib/libunwind.a && -f $stamp && $(<"$stamp") == "$want" ]]; then
  exit 0
fi

work=$prefix-work
rm -rf "$work"
mkdir -p "$work"
cd "$work"

# A private apt state whose sources are the machine's own, asked for source packages instead of binaries.
fetch_distribution_source() {
  command -v apt-get >/dev/null && command -v dpkg-source >/dev/null || return 1
  mkdir -p apt/lists/partial apt/parts
  local file n=0
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -f $file ]] || continue
    sed -n 's/^deb\( \|\t\)/deb-src\1/p' "$file" >"apt/parts/$((n += 1)).list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ -f $file ]] || continue
    sed 's/^Types:.*/Types: deb-src/' "$file" >"apt/parts/$((n += 1)).sources"
  done
  local apt=(apt-get -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$PWD/apt/parts"
    -o Dir::State::Lists="$PWD/apt/lists" -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= -o APT::Sandbox::User=root)
  # Foreign repositories without sources fail here; only the one that has libunwind matters.
  "${apt[@]}" update >apt/update.log 2>&1 || true
  "${apt[@]}" source libunwind >apt/source.log 2>&1
}

fetch_upstream_archive() {
  local archive=libunwind-$upstream_version.tar.gz
  if command -v curl >/dev/null; then
    curl -fsSL -o "$archive" "$upstream_url"
  else
    wget -q -O "$archive" "$upstream_url"
  fi
  echo "$upstream_sha256  $archive" | sha256sum -c --quiet
  tar xf "$archive"
}

echo "libunwind: building a static, position-independent copy in ${prefix#"$root"/}"
if fetch_distribution_source; then
  source_note="distribution source package $(echo libunwind_*.dsc)"
elif fetch_upstream_archive; then
  source_note="upstream release $upstream_version"
else
  echo "libunwind: neither the distribution's source package nor $upstream_url could be fetched;" >&2
  echo "libunwind: see $work/apt/*.log" >&2
  exit 1
fi

cd "$(find . -maxdepth 1 -type d -name 'libunwind-*' | head -n 1)"
# To learn whether memory can be read, libunwind writes a byte of it into a pipe that it keeps open. In a process that closes all
# descriptors and opens its own, that pipe is a file of the application's: libunwind would write into it, and read from another.
# The kernel tells the same without a descriptor: asked to change the signal mask in no known way, it reads the mask, and refuses.
ask='const int saved = errno; const long refused = syscall (SYS_rt_sigprocmask, -1, (unsigned long) addr \& ~7ul, 0, 8);'
ask+=' const int readable = !(refused == -1 \&\& errno == EFAULT); errno = saved; return readable ? 1 : -1;'
sed -i -e '/^open_pipe (void)$/{n;s/{/{ return;/}' -e "/^write_validate (void \*addr)\$/{n;s/{/{ $ask/}" src/*/Ginit.c
for file in src/x86_64/Ginit.c src/aarch64/Ginit.c; do
  sed -i '1i #include <errno.h>\n#include <sys/syscall.h>\n#include <unistd.h>' "$file"
  if [[ $(grep -c 'SYS_rt_sigprocmask\|{ return;' "$file") -ne 2 ]]; then
    echo "libunwind: $file is not as expected; scripts/build_libunwind.sh must be adapted to this version" >&2
    exit 1
  fi
done
# On aarch64, what is behind code without unwind information is found by the frame pointer, as on x86-64; this version repeats the frame
# instead. And return addresses may be signed in their upper bits (DW_CFA_AARCH64_negate_ra_state), which it does not know.
cat >"$work/strip-signature.c" <<'CODE'
static unsigned long strip_signature (unsigned long ip)
{
  register unsigned long x30 __asm__ ("x30") = ip;
  __asm__ ("hint #7" : "+r" (x30));
  return x30;
}
CODE
cat >"$work/follow-frame-pointer.c" <<'CODE'
      if (c->dwarf.use_prev_instr)  /* a caller: the link register was used to come here */
        {
          unw_word_t fp, ip;
          c->validate = 1;
          if ((ret = dwarf_get (&c->dwarf, c->dwarf.loc[UNW_AARCH64_X29], &fp)) < 0)
            return ret;
          if (fp < c->dwarf.cfa || fp - c->dwarf.cfa > 0x4000 || fp % 8 != 0)
            return -UNW_EBADFRAME;
          struct dwarf_loc fp_loc = DWARF_LOC (fp, 0), ip_loc = DWARF_LOC (fp + 8, 0);
          if ((ret = dwarf_get (&c->dwarf, ip_loc, &ip)) < 0)
            return ret;
          c->validate = validate;
          c->frame_info.frame_type = UNW_AARCH64_FRAME_GUESSED;
          c->frame_info.cfa_reg_offset = 16;
          c->frame_info.fp_cfa_offset = -16;
          c->frame_info.lr_cfa_offset = -8;
          c->dwarf.loc[UNW_AARCH64_X29] = fp_loc;
          c->dwarf.loc[UNW_AARCH64_X30] = c->dwarf.loc[UNW_AARCH64_PC] = ip_loc;
          c->dwarf.cfa = fp + 16;
          c->dwarf.ip = strip_signature (ip);
          c->dwarf.pi_valid = 0;
          return c->dwarf.ip == 0 ? 0 : 1;
        }
CODE
sed -i -e "/^#include \"offsets.h\"/r $work/strip-signature.c" \
  -e "/c->frame_info.sp_cfa_offset = -1;/r $work/follow-frame-pointer.c" \
  -e 's/^  return (c->dwarf.ip == 0) ? 0 : 1;/  c->dwarf.ip = strip_signature (c->dwarf.ip);\n&/' src/aarch64/Gstep.c
sed -i -e "/^static const unw_tdep_frame_t empty_frame/r $work/strip-signature.c" \
  -e 's,^    /\* If we failed or ended up somewhere bogus,    pc = strip_signature (pc);\n&,' src/aarch64/Gtrace.c
sed -i '/case DW_CFA_GNU_window_save:/,/FALL THROUGH/s/^#else$/#elif defined(UNW_TARGET_AARCH64)\n          break;\n#else/' src/dwarf/Gparser.c
for file in src/aarch64/Gstep.c:4 src/aarch64/Gtrace.c:2 src/dwarf/Gparser.c:1; do
  if [[ $(grep -c 'strip_signature\|FRAME_GUESSED;\|TARGET_AARCH64' "${file%:*}") -lt ${file#*:} ]]; then
    echo "libunwind: ${file%:*} is not as expected; scripts/build_libunwind.sh must be adapted to this version" >&2
    exit 1
  fi
done
[[ -x configure ]] || autoreconf -fi >"$work/autoreconf.log" 2>&1
if ! { ./configure ${triple:+--host="$triple"} CC="$compiler" --prefix="$prefix" --libdir="$prefix/lib" CFLAGS="$cflags" "${flags[@]}" &&
  make -j"$(nproc)" && make install; } >"$work/build.log" 2>&1; then
  tail -n 30 "$work/build.log" >&2
  exit 1
fi
echo "$source_note" >"$prefix/SOURCE"
echo "$want" >"$stamp"
cd "$root"
rm -rf "$work"
echo "libunwind: done ($source_note)"
