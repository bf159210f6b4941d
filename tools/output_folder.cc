// SPDX-License-Identifier: Apache-2.0
#include "tools/output_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>
#include <streambuf>

#include "libmigprof/base/foreign_link.h"

namespace migprof::tools {
namespace {

namespace fs = std::filesystem;

// A new file. std::ofstream would open what somebody put there before, and what a link leads to.
class NewFile : public std::streambuf {
 public:
  explicit NewFile(const fs::path& path) {
    descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor_ < 0) error_ = errno;
    setp(buffer_.data(), buffer_.data() + buffer_.size());
  }
  ~NewFile() override {
    if (descriptor_ >= 0) close(descriptor_);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  // Returns the first error that there was; 0: all is written.
  int Close() {
    sync();
    if (descriptor_ >= 0 && close(descriptor_) != 0 && error_ == 0) error_ = errno;
    descriptor_ = -1;
    return error_;
  }

 protected:
  int_type overflow(int_type c) override {
    if (sync() != 0) return traits_type::eof();
    if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  int sync() override {
    for (const char* at = pbase(); error_ == 0 && at < pptr();) {
      const ssize_t written = write(descriptor_, at, static_cast<size_t>(pptr() - at));
      if (written >= 0) {
        at += written;
      } else if (errno != EINTR) {
        error_ = errno;
      }
    }
    setp(buffer_.data(), buffer_.data() + buffer_.size());
    return error_ == 0 ? 0 : -1;
  }

 private:
  int descriptor_ = -1;
  int error_ = 0;
  std::array<char, 64 * 1024> buffer_;
};

std::error_code SystemError(int error) { return {error, std::generic_category()}; }

}  // namespace

bool OutputFolder::is_empty() const {
  std::error_code error;
  return !fs::exists(folder_, error) || fs::is_empty(folder_, error);
}

std::error_code OutputFolder::Make(const fs::path& folder) const {
  std::error_code error;
  if (HasForeignLink(folder_.string())) return SystemError(ELOOP);
  fs::create_directories(folder, error);
  if (error && !fs::is_directory(folder)) return error;
  // Who may write to the folder can still exchange it from now on.
  if (folder != folder_ && fs::is_symlink(folder)) return SystemError(ELOOP);
  return {};
}

void OutputFolder::Write(const fs::path& name, const std::function<void(std::ostream&)>& body) {
  const fs::path path = folder_ / name;
  const fs::path folder = name.has_parent_path() ? path.parent_path() : folder_;
  if (const std::error_code error = Make(folder)) {
    // For all of its files at once.
    if (unusable_.insert(folder).second) SayUnwritable(folder, error.message());
    return;
  }
  // Beside it first: a full disk leaves what was there before. Of an earlier run that was killed, or planted:
  const fs::path unfinished = path.string() + ".unfinished";
  std::error_code error;
  fs::remove(unfinished, error);
  NewFile file(unfinished);
  std::ostream out(&file);
  body(out);
  const int problem = file.Close();
  error = SystemError(problem);
  if (!error) fs::rename(unfinished, path, error);  // replaces a link, and does not follow it
  if (error) {
    SayUnwritable(path, error.message());
    fs::remove(unfinished, error);
  } else {
    written_.push_back(path.string());
  }
}

void OutputFolder::SayUnwritable(const fs::path& path, const std::string& why) {
  std::cerr << "migprof-merge: " << path.string() << ": cannot be written: " << why << "\n";
  failed_ = true;
}

}  // namespace migprof::tools
