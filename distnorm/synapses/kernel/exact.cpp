// The kernel together with normalized models.

#include "kernel.cpp"

#include "normalized/exact_calls.h"
#include "normalized/replace.h"

#include "distnorm_exact_calls.h"
