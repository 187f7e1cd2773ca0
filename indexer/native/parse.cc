#include "parse.h"

#include <algorithm>

namespace sopilka {
namespace {

struct ParserDeleter {
  void operator()(TSParser* parser) const { ts_parser_delete(parser); }
};

}  // namespace

Tree parse(const TSLanguage* language, std::string_view text, Deadline deadline) {
  const std::unique_ptr<TSParser, ParserDeleter> parser(ts_parser_new());
  if (!ts_parser_set_language(parser.get(), language)) return nullptr;
  const TSInput input{&text,
                      [](void* payload, uint32_t offset, TSPoint, uint32_t* size) {
                        const auto& all = *static_cast<std::string_view*>(payload);
                        const size_t from = std::min<size_t>(offset, all.size());
                        *size = static_cast<uint32_t>(all.size() - from);
                        return all.data() + from;
                      },
                      TSInputEncodingUTF8, nullptr};
  const TSParseOptions options{&deadline, [](TSParseState* state) {
                                 return static_cast<Deadline*>(state->payload)->has_passed_by_now();
                               }};
  return Tree(ts_parser_parse_with_options(parser.get(), nullptr, input, options));
}

}  // namespace sopilka
