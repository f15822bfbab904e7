// The kernel together with models that normalize themselves. See normalized.h.

#include "normalized/normalized_type.h"

#include "kernel.cpp"

#include "normalized/exact_calls.h"
#include "normalized/normalized_rows.h"
#include "normalized/replace.h"
