// The kernel together with models that normalize themselves. See normalized.h.

#include "normalized_type.h"

#include "kernel.cpp"

#include "exact_calls.h"
#include "normalized_rows.h"
#include "replace.h"
