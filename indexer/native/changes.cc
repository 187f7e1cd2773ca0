// What a file's new facts say other than its old ones, for tables that are patched after each
// keystroke: where the two differ, found by looking at both from both ends.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

#if defined(_WIN32)
#define SOPILKA_EXPORT extern "C" __declspec(dllexport)
#else
#define SOPILKA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

constexpr int kSymbolWidth = 13, kReferenceWidth = 3, kPieceWidth = 6, kTermWidth = 2;
constexpr int kFirstTerm = 4, kLastTerm = 5;

// The columns of a file's facts that matter here, and the numbers of its names in the tables.
struct View {
  const int32_t* numbers;
  const int32_t* symbols;
  const int32_t* references;
  const int32_t* pieces;
  const int32_t* terms;
  int64_t symbol_count, reference_count, piece_count, term_count;
};

// Before `start` and after the ends both sequences are equal.
struct Span {
  int64_t start, old_end, new_end;
};

template <typename Same>
Span span(int64_t old_count, int64_t new_count, Same same) {
  int64_t start = 0, left = std::min(old_count, new_count);
  while (start < left && same(start, start)) ++start;
  for (left -= start; left > 0 && same(old_count - 1, new_count - 1); --left) {
    --old_count;
    --new_count;
  }
  return {start, old_count, new_count};
}

int64_t highest(const int32_t* rows, int64_t count, int width) {
  int32_t most = -1;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, rows[i * width]);
  return most;
}

int64_t equal_bytes(const char* a, const char* b, int64_t size) {
  int64_t i = 0;
  while (i + 64 <= size && std::memcmp(a + i, b + i, 64) == 0) i += 64;
  while (i < size && a[i] == b[i]) ++i;
  return i;
}

int64_t equal_bytes_at_end(const char* a, const char* b, int64_t size) {
  int64_t i = 0;
  while (i + 64 <= size && std::memcmp(a - i - 64, b - i - 64, 64) == 0) i += 64;
  while (i < size && a[-i - 1] == b[-i - 1]) ++i;
  return i;
}

}  // namespace

// Where packed names differ, in whole names; both end with a NUL. `found` is set to the first byte and the end of what
// is new in `fresh`, the names before that, and the names after it.
SOPILKA_EXPORT void sopilka_changed_names(const char* old, int64_t old_size, const char* fresh,
                                          int64_t size, int64_t* found) {
  int64_t start = equal_bytes(old, fresh, std::min(old_size, size));
  const int64_t left = std::min(old_size, size) - start;
  int64_t end = size - equal_bytes_at_end(old + old_size, fresh + size, left);
  while (start > 0 && fresh[start - 1]) --start;
  if (end < size) {  // the old name may have begun earlier: only those behind it are the same
    while (fresh[end]) ++end;
    ++end;
  }
  found[0] = start;
  found[1] = end;
  found[2] = std::count(fresh, fresh + start, '\0');
  found[3] = std::count(fresh + end, fresh + size, '\0');
}

// `found` is set to how many names the old file defines and how many it uses or defines, the same
// of the new one, the span of those names that differ, and the span of chunks whose terms do.
SOPILKA_EXPORT void sopilka_changed_facts(const View* old, const View* fresh, int64_t* found) {
  int64_t defined[2], used[2];
  const View* views[2] = {old, fresh};
  for (int i = 0; i < 2; ++i) {
    const View& view = *views[i];
    defined[i] = 1 + highest(view.symbols, view.symbol_count, kSymbolWidth);
    used[i] = std::max(defined[i],
                       1 + highest(view.references, view.reference_count, kReferenceWidth));
  }
  const Span names = span(used[0], used[1], [&](int64_t a, int64_t b) {
    return old->numbers[a] == fresh->numbers[b] && (a < defined[0]) == (b < defined[1]);
  });
  const auto same_chunk = [&](int64_t a, int64_t b) {
    const int32_t* one = old->pieces + a * kPieceWidth;
    const int32_t* other = fresh->pieces + b * kPieceWidth;
    const int32_t count = one[kLastTerm] - one[kFirstTerm];
    if (count != other[kLastTerm] - other[kFirstTerm]) return false;
    const int32_t* mine = old->terms + one[kFirstTerm] * int64_t{kTermWidth};
    const int32_t* theirs = fresh->terms + other[kFirstTerm] * int64_t{kTermWidth};
    for (int32_t i = 0; i < count * kTermWidth; i += kTermWidth) {
      if (old->numbers[mine[i]] != fresh->numbers[theirs[i]] || mine[i + 1] != theirs[i + 1]) {
        return false;
      }
    }
    return true;
  };
  const Span chunks = span(old->piece_count, fresh->piece_count, same_chunk);
  const int64_t all[] = {defined[0],   used[0],      defined[1],    used[1],        names.start,
                         names.old_end, names.new_end, chunks.start, chunks.old_end, chunks.new_end};
  std::copy(std::begin(all), std::end(all), found);
}
