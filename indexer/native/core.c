// tree-sitter's core in one piece, with a walk of ours that looks into its trees and queries.

#include "lib.c"
#include "walk.h"

#define MAX_CHAIN 4
#define NODES_A_LOOK 4096
#define NOTHING UINT32_MAX

// One node of a chain; `symbol` 0 is any named node. `field` 0: in any or none.
typedef struct {
  TSSymbol symbol;
  TSFieldId field;
} ChainLink;

// A captured node and those around it, the closest first.
typedef struct {
  ChainLink links[MAX_CHAIN];
  uint32_t next;  // chain that is looked for at the same node, NOTHING: none
  uint16_t pattern;
  uint8_t length;
} Chain;

typedef struct {
  uint32_t own;    // first chain whose captured node is of this kind
  uint32_t below;  // first chain whose captured node is any named one right below one of this kind
  bool begins;     // whether a pattern for the engine begins with this kind
} SymbolPlan;

struct WalkPlan {
  const TSLanguage *language;
  SymbolPlan *symbols;
  uint32_t symbol_count;
  bool begins_with_errors;  // as SymbolPlan.begins, for nodes that are errors
  Array(Chain) chains;
};

typedef struct {
  WalkPlan *plan;
  const TSQuery *query;
  ChainLink steps[MAX_CHAIN];  // outermost first
  uint16_t pattern;
} Expansion;

// Adds the chains of a pattern from a step on; false if it is not a chain.
static bool expand(Expansion *self, uint32_t step_index, uint32_t depth) {
  const QueryStep *step = array_get(&self->query->steps, step_index);
  if (step->is_dead_end) {
    return step->alternative_index > step_index && expand(self, step->alternative_index, depth);
  }
  if (step->depth == PATTERN_DONE_MARKER) {
    if (depth == 0) return false;
    Chain chain = { .pattern = self->pattern, .length = (uint8_t)depth, .next = NOTHING };
    for (uint32_t i = 0; i < depth; i++) chain.links[i] = self->steps[depth - 1 - i];
    array_push(&self->plan->chains, chain);
    return true;
  }
  const bool is_last = step_index + 1 < self->query->steps.size &&
    (array_get(&self->query->steps, step_index + 1)->depth == PATTERN_DONE_MARKER ||
     array_get(&self->query->steps, step_index + 1)->is_dead_end);
  const bool is_captured = step->capture_ids[0] != NONE;
  if (
    depth == MAX_CHAIN || step->depth != depth || step->is_immediate || step->is_last_child ||
    step->is_pass_through || step->is_missing || step->alternative_is_skip ||
    step->supertype_symbol || step->negated_field_list_id ||
    step->symbol == ts_builtin_sym_error || is_captured != is_last ||
    (is_captured && step->capture_ids[1] != NONE) ||
    (depth == 0 && (step->symbol == WILDCARD_SYMBOL || step->field)) ||
    (step->symbol == WILDCARD_SYMBOL && !step->is_named)
  ) return false;
  self->steps[depth] = (ChainLink) { step->symbol, step->field };
  if (!expand(self, step_index + 1, depth + 1)) return false;
  if (step->alternative_index == NONE) return true;
  return step->alternative_index > step_index && expand(self, step->alternative_index, depth);
}

static void enter_chains(WalkPlan *self, uint32_t first) {
  for (uint32_t i = first; i < self->chains.size; i++) {
    Chain *chain = array_get(&self->chains, i);
    const bool is_any = chain->links[0].symbol == WILDCARD_SYMBOL;
    SymbolPlan *plan = &self->symbols[chain->links[is_any].symbol];
    uint32_t *head = is_any ? &plan->below : &plan->own;
    chain->next = *head;
    *head = i;
  }
}

static bool is_any_above(const WalkPlan *self, uint32_t first) {
  for (uint32_t i = first; i < self->chains.size; i++) {
    const Chain *chain = array_get(&self->chains, i);
    if (chain->links[0].symbol == WILDCARD_SYMBOL && chain->links[1].symbol == WILDCARD_SYMBOL) {
      return true;
    }
  }
  return false;
}

// Marks the kinds that begin what is left of a query; false if that is not told by a kind.
static bool enter_others(WalkPlan *self, const TSQuery *query) {
  if (query->wildcard_root_pattern_count > 0) return false;
  for (uint32_t i = 0; i < query->pattern_map.size; i++) {
    const PatternEntry *entry = array_get(&query->pattern_map, i);
    const QueryStep *step = array_get(&query->steps, entry->step_index);
    if (
      !entry->is_rooted || step->depth != 0 || step->field || step->supertype_symbol ||
      step->symbol == WILDCARD_SYMBOL
    ) return false;
    if (step->symbol == ts_builtin_sym_error) self->begins_with_errors = true;
    else if (step->symbol < self->symbol_count) self->symbols[step->symbol].begins = true;
    else return false;
  }
  return true;
}

WalkPlan *sopilka_plan_new(TSQuery *query, const bool *may_be_plain) {
  WalkPlan *self = ts_calloc(1, sizeof(WalkPlan));
  self->language = query->language;
  self->symbol_count = ts_language_symbol_count(query->language);
  self->symbols = ts_calloc(self->symbol_count, sizeof(SymbolPlan));
  array_init(&self->chains);
  for (uint32_t i = 0; i < self->symbol_count; i++) {
    self->symbols[i].own = self->symbols[i].below = NOTHING;
  }
  for (uint32_t number = 0; number < query->patterns.size; number++) {
    const QueryPattern *pattern = array_get(&query->patterns, number);
    const uint32_t before = self->chains.size;
    Expansion expansion = { .plan = self, .query = query, .pattern = (uint16_t)number };
    if (
      may_be_plain[number] && expand(&expansion, pattern->steps.offset, 0) &&
      !is_any_above(self, before)
    ) {
      enter_chains(self, before);
      ts_query_disable_pattern(query, number);
    } else {
      self->chains.size = before;
    }
  }
  if (!enter_others(self, query)) {
    sopilka_plan_free(self);
    return NULL;
  }
  return self;
}

void sopilka_plan_free(WalkPlan *self) {
  ts_free(self->symbols);
  array_delete(&self->chains);
  ts_free(self);
}

// The children of a node that are still to be visited.
typedef struct {
  const Subtree *children;
  const TSSymbol *aliases;
  const TSFieldMapEntry *fields, *fields_end;
  uint32_t count, index, structural_index;
  uint32_t end;        // where the last visited child ended, or where the node starts
  uint32_t ancestors;  // how many visible nodes are around the children
  TSFieldId field;     // of the node itself, if it is hidden: its children are in it
} Frame;

typedef struct {
  TSSymbol symbol;
  TSFieldId field;
  bool is_named;
} Ancestor;

typedef struct {
  const WalkPlan *plan;
  const WalkEvents *events;
  Array(Frame) frames;
  Array(Ancestor) ancestors;
} Walk;

static TSFieldId field_in(const Frame *frame, bool is_extra) {
  if (!is_extra) {
    for (const TSFieldMapEntry *entry = frame->fields; entry < frame->fields_end; entry++) {
      if (!entry->inherited && entry->child_index == frame->structural_index) {
        return entry->field_id;
      }
    }
  }
  return frame->field;
}

static void look_for(
  const Walk *self, uint32_t first, const Ancestor *node, uint32_t start, uint32_t end
) {
  for (uint32_t number = first; number != NOTHING;) {
    const Chain *chain = array_get(&self->plan->chains, number);
    number = chain->next;
    if (chain->links[0].field && chain->links[0].field != node->field) continue;
    uint32_t level = 1;
    for (; level < chain->length && level <= self->ancestors.size; level++) {
      const ChainLink *link = &chain->links[level];
      const Ancestor *above = array_get(&self->ancestors, self->ancestors.size - level);
      const bool is_it = link->symbol == WILDCARD_SYMBOL
        ? above->is_named && above->symbol != ts_builtin_sym_error
        : above->symbol == link->symbol;
      if (!is_it || (link->field && link->field != above->field)) break;
    }
    if (level == chain->length) {
      self->events->found(self->events->payload, chain->pattern, start, end);
    }
  }
}

static void push_frame(
  Walk *self, Subtree subtree, uint32_t start, uint32_t ancestors, TSFieldId field
) {
  Frame frame = {
    .children = ts_subtree_children(subtree),
    .aliases = ts_language_alias_sequence(self->plan->language, subtree.ptr->production_id),
    .count = subtree.ptr->child_count,
    .end = start,
    .ancestors = ancestors,
    .field = field,
  };
  ts_language_field_map(
    self->plan->language, subtree.ptr->production_id, &frame.fields, &frame.fields_end
  );
  array_push(&self->frames, frame);
}

// Visits a node; returns false to end the walk.
static bool visit(Walk *self, const TSTree *tree, const Subtree *subtree, uint32_t start,
                  TSSymbol alias, bool is_visible, TSFieldId field) {
  const TSLanguage *language = self->plan->language;
  const uint32_t child_count = ts_subtree_child_count(*subtree);
  if (!is_visible) {
    if (child_count) push_frame(self, *subtree, start, self->ancestors.size, field);
    return true;
  }
  const TSSymbol symbol =
    ts_language_public_symbol(language, alias ? alias : ts_subtree_symbol(*subtree));
  const Ancestor node = {
    symbol, field,
    alias ? ts_language_symbol_metadata(language, alias).named : ts_subtree_named(*subtree),
  };
  const uint32_t end = start + ts_subtree_size(*subtree).bytes;
  bool begins = symbol == ts_builtin_sym_error && self->plan->begins_with_errors;
  if (symbol < self->plan->symbol_count) {
    const SymbolPlan *plan = &self->plan->symbols[symbol];
    if (plan->own != NOTHING) look_for(self, plan->own, &node, start, end);
    if (node.is_named && self->ancestors.size) {
      const TSSymbol above = array_back(&self->ancestors)->symbol;
      if (above < self->plan->symbol_count && self->plan->symbols[above].below != NOTHING) {
        look_for(self, self->plan->symbols[above].below, &node, start, end);
      }
    }
    begins = plan->begins;
  }
  if (begins) {
    const Length position = { start, { 0, 0 } };
    const TSNode begun = ts_node_new(tree, subtree, position, alias);
    if (!self->events->begins(self->events->payload, begun)) return false;
  }
  if (child_count) {
    array_push(&self->ancestors, node);
    push_frame(self, *subtree, start, self->ancestors.size, 0);
  }
  return true;
}

static bool visit_all(Walk *self, const TSTree *tree) {
  const uint32_t start = ts_subtree_padding(tree->root).bytes;
  if (!visit(self, tree, &tree->root, start, 0, true, 0)) return false;
  for (uint32_t looks = 0; self->frames.size;) {
    Frame *frame = array_back(&self->frames);
    if (frame->index == frame->count) {
      self->frames.size--;
      continue;
    }
    if (++looks % NODES_A_LOOK == 0 && self->events->is_late(self->events->payload)) return false;
    self->ancestors.size = frame->ancestors;
    const Subtree *child = &frame->children[frame->index];
    const bool is_extra = ts_subtree_extra(*child);
    const TSSymbol alias = !is_extra && frame->aliases ? frame->aliases[frame->structural_index] : 0;
    uint32_t child_start = frame->end;
    if (frame->index++) child_start += ts_subtree_padding(*child).bytes;
    frame->end = child_start + ts_subtree_size(*child).bytes;
    const TSFieldId field = field_in(frame, is_extra);
    frame->structural_index += !is_extra;
    // The frame may move now.
    if (!visit(self, tree, child, child_start, alias, alias || ts_subtree_visible(*child), field)) {
      return false;
    }
  }
  return true;
}

bool sopilka_walk(const WalkPlan *plan, const TSTree *tree, const WalkEvents *events) {
  Walk self = { .plan = plan, .events = events };
  array_init(&self.frames);
  array_init(&self.ancestors);
  const bool is_whole = visit_all(&self, tree);
  array_delete(&self.frames);
  array_delete(&self.ancestors);
  return is_whole;
}
