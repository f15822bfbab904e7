// How a call from Python ends: in a code and a text.

#pragma once

#include <exception>
#include <stdexcept>
#include <string>

#include "nest_access.h"

namespace distnorm
{

//! An outcome that Python tells from others by its code.
struct Failure
{
  Code code;
  const char* text;
};

// Static, not inline: variables of another kernel in the same process must stay apart. By thread, as Python's may call
// at the same time.
static thread_local std::string last_error;
static thread_local std::string last_error_kind;

inline const char*
error_text()
{
  return last_error.c_str();
}

//! Name of NEST's exception that the text is of; empty for any other.
inline const char*
error_kind()
{
  return last_error_kind.c_str();
}

//! Runs body, turning an exception into a code.
template < typename Body >
Code
guarded( Body body )
{
  last_error_kind.clear();
  try
  {
    body();
    return OK;
  }
  catch ( const nest::KernelException& e )
  {
    last_error = e.what();
    last_error_kind = e.exception_name();
  }
  catch ( const Failure& failure )
  {
    last_error = failure.text;
    return failure.code;
  }
  catch ( const std::exception& e )
  {
    last_error = e.what();
  }
  catch ( ... )
  {
    last_error = "unknown C++ exception";
  }
  return FAILED;
}

//! Result of body; 0 for an exception.
template < typename Body >
auto
value_of( Body body ) noexcept
{
  try
  {
    return body();
  }
  catch ( ... )
  {
    return decltype( body() ) {};
  }
}

//! Runs body( tid ) on each of NEST's threads, on the cores where NEST runs them.
template < typename Body >
void
on_all_threads( Body body )
{
  std::exception_ptr error;
#pragma omp parallel num_threads( nest::kernel().vp_manager.get_num_threads() )
  {
    try
    {
      body( static_cast< size_t >( nest::kernel().vp_manager.get_thread_id() ) );
    }
    catch ( ... )
    {
#pragma omp critical( distnorm_error )
      error = std::current_exception();
    }
  }
  if ( error )
  {
    std::rethrow_exception( error );
  }
}

} // namespace distnorm
