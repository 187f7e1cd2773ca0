# Changes that make tree-sitter's parser cheaper. Its trees stay the same, node by node.

# A tree belongs to one thread here, so its nodes are counted without locking the bus.
edit(atomic.h "#ifdef __TINYC__" "#if 1")

# Most characters are ASCII in the middle of a line, and a text is one range.
edit(lexer.c "static void ts_lexer__do_advance(Lexer *self, bool skip) {
"
"static void ts_lexer__do_advance(Lexer *self, bool skip) {
  const uint32_t behind = self->current_position.bytes + 1 - self->chunk_start;
  if (
    self->lookahead_size == 1 && self->data.lookahead != '\\n' &&
    self->included_range_count == 1 && self->current_included_range_index == 0 &&
    self->current_position.bytes + 1 < self->included_ranges[0].end_byte &&
    self->current_position.bytes >= self->chunk_start && behind < self->chunk_size &&
    self->input.encoding == TSInputEncodingUTF8 &&
    !((uint8_t)self->chunk[behind] & 0x80)
  ) {
    ts_lexer__increment_column_data(self);
    self->current_position.extent.column++;
    self->current_position.bytes++;
    if (skip) self->token_start_position = self->current_position;
    self->data.lookahead = (uint8_t)self->chunk[behind];
    return;
  }
")

# What a state does with a symbol is searched for in a list, and mostly was so a moment ago.
edit(language.h "static inline uint16_t ts_language_lookup("
"// What is known of states with lists, of one language; NULL: nothing.
typedef struct {
  uint32_t key;
  uint16_t value;
} LookupEntry;

#define LOOKUP_ENTRIES 2048

#if defined(_MSC_VER)
extern __declspec(thread) LookupEntry *ts_lookup_entries;
#elif defined(__GLIBC__)
extern __thread LookupEntry *ts_lookup_entries __attribute__((tls_model(\"initial-exec\")));
#else
extern __thread LookupEntry *ts_lookup_entries;
#endif

static inline uint16_t ts_language_search(const TSLanguage *, TSStateId, TSSymbol);

static inline uint16_t ts_language_lookup(
  const TSLanguage *self,
  TSStateId state,
  TSSymbol symbol
) {
  if (state < self->large_state_count) {
    return self->parse_table[state * self->symbol_count + symbol];
  }
  LookupEntry *entries = ts_lookup_entries;
  if (!entries) return ts_language_search(self, state, symbol);
  const uint32_t key = (uint32_t)state << 16 | symbol;
  LookupEntry *entry = &entries[(state * 37u + symbol) % LOOKUP_ENTRIES];
  if (entry->key != key) {
    entry->key = key;
    entry->value = ts_language_search(self, state, symbol);
  }
  return entry->value;
}

static inline uint16_t ts_language_search(")
edit(language.c "void ts_language_table_entry("
"#if defined(_MSC_VER)
__declspec(thread) LookupEntry *ts_lookup_entries = NULL;
#elif defined(__GLIBC__)
__thread LookupEntry *ts_lookup_entries __attribute__((tls_model(\"initial-exec\"))) = NULL;
#else
__thread LookupEntry *ts_lookup_entries = NULL;
#endif

// Remembers lookups in these LOOKUP_ENTRIES entries, which are zero or of the language that this
// thread parses from now on; NULL ends it.
void sopilka_remember_lookups(LookupEntry *entries) { ts_lookup_entries = entries; }

void ts_language_table_entry(")

# A node of the stack has room for eight links and mostly has one: the others are not cleared.
edit(stack.c "  *node = (StackNode) {
    .ref_count = 1,
    .link_count = 0,
    .state = state
  };
"
"  node->ref_count = 1;
  node->link_count = 0;
  node->state = state;
  node->node_count = 0;
  node->dynamic_precedence = 0;
")

# Where the stack has not split, popping is following links.
edit(stack.c "StackSliceArray ts_stack_pop_count(Stack *self, StackVersion version, uint32_t count) {
"
"StackSliceArray ts_stack_pop_count(Stack *self, StackVersion version, uint32_t count) {
  StackNode *node = array_get(&self->heads, version)->node;
  uint32_t rest = count, size = 0;
  while (rest > 0 && node->link_count == 1) {
    const Subtree subtree = node->links[0].subtree;
    size += subtree.ptr != NULL;
    rest -= !subtree.ptr || !ts_subtree_extra(subtree);
    node = node->links[0].node;
  }
  if (rest == 0) {
    SubtreeArray subtrees = array_new();
    uint32_t room = (uint32_t)ts_subtree_alloc_size(count) / sizeof(Subtree);
    array_reserve(&subtrees, room < size ? size : room);
    subtrees.size = size;
    for (StackNode *one = array_get(&self->heads, version)->node; one != node;) {
      const Subtree subtree = one->links[0].subtree;
      if (subtree.ptr) {
        subtrees.contents[--size] = subtree;
        ts_subtree_retain(subtree);
      }
      one = one->links[0].node;
    }
    array_clear(&self->slices);
    array_clear(&self->iterators);
    StackSlice slice = { subtrees, ts_stack__add_version(self, version, node) };
    array_push(&self->slices, slice);
    return self->slices;
  }
")
