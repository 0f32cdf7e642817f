// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over every file under the directories given as arguments, so that an ordinary build proves
// that the seeds and all that fuzzing once found still pass. Fails when there was no file: an empty corpus proves
// nothing.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::filesystem::path> files_under(const char* directory) {
  std::vector<std::filesystem::path> files;
  std::error_code failure;
  for (std::filesystem::recursive_directory_iterator entry(directory, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (entry->is_regular_file()) files.push_back(entry->path());
  }
  if (failure) std::fprintf(stderr, "%s: %s\n", directory, failure.message().c_str());
  return files;
}

/// False when the file cannot be read.
bool replay(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) {
    std::fprintf(stderr, "%s: cannot be read\n", file.c_str());
    return false;
  }
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t replayed = 0;
  for (int i = 1; i < argc; ++i) {
    for (const std::filesystem::path& file : files_under(argv[i])) {
      if (!replay(file)) return 1;
      ++replayed;
    }
  }
  std::printf("%zu inputs replayed\n", replayed);
  return replayed > 0 ? 0 : 1;
}
