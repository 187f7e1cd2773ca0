// Walks a tree once and finds by itself what most patterns of a facts query look for.
//
// Most of them, and nearly all matches, are about one node: an identifier, perhaps below a node of
// some kind, in some field. For those the query engine keeps states that wait, fill and are copied;
// here a table by kind says what to look for, and the nodes above are at hand. Nodes that begin one
// of the other patterns are told to the caller, who asks the engine about each alone.
#pragma once

#include <tree_sitter/api.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct WalkPlan WalkPlan;

typedef struct {
  void *payload;
  // A match of a pattern with one captured node, which has these bytes.
  void (*found)(void *payload, uint16_t pattern, uint32_t start, uint32_t end);
  // A node that begins another pattern. False ends the walk.
  bool (*begins)(void *payload, TSNode node);
  // Asked now and then; true ends the walk.
  bool (*is_late)(void *payload);
} WalkEvents;

// What a walk looks for. Patterns that it finds by itself are taken out of the query, which is
// asked for the others; only those that `may_be_plain` says are looked at. Null where a walk cannot
// serve: a pattern of the others may begin at any node, or at several.
WalkPlan *sopilka_plan_new(TSQuery *query, const bool *may_be_plain);
void sopilka_plan_free(WalkPlan *plan);

// Returns false if it was ended.
bool sopilka_walk(const WalkPlan *plan, const TSTree *tree, const WalkEvents *events);

#ifdef __cplusplus
}
#endif
