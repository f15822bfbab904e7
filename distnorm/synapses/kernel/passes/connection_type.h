// What is asked of a type of connection.

#pragma once

#include <functional>
#include <map>
#include <span>

#include "passes/operations.h"

namespace distnorm
{

using Labels = std::map< int64_t, int64_t >; //!< number of connections by label

class ConnectionType
{
public:
  virtual ~ConnectionType() = default;
  virtual bool is_model( const nest::ConnectorModel& ) const = 0;
  //! Whether connections that have limits of their own are known to have them, and where.
  virtual bool knows_limits() const = 0;
  //! Does the passes, block by block, so that a block comes from memory once for all of them.
  virtual void run( std::vector< Work >&, nest::ConnectorBase&, size_t tid ) const = 0;
  //! Adds the number of the work's connections of each label.
  virtual void count_labels( Work&, nest::ConnectorBase&, size_t tid, Labels& ) const = 0;
  virtual double weight( nest::ConnectorBase&, size_t tid, size_t lcid ) const = 0;
  //! Sets weights; or only tries, and leaves them as they were. Throws a Refusal.
  virtual void set_weights( nest::ConnectorBase&, size_t tid, std::span< const Setting >, bool only_try ) const = 0;
  //! The weight with what NEST has yet to do to it.
  virtual double current_weight( nest::ConnectorBase&, size_t tid, size_t lcid ) const = 0;
};

//! One whose header was there at compile time.
class CompiledType : public ConnectionType
{
public:
  virtual size_t bytes() const = 0; //!< of a connection
  //! Reads connections from number `first` on as rows, with their state row by row.
  virtual void get_rows( nest::ConnectorBase&, size_t tid, size_t first, std::span< Row >, double* state ) const = 0;
  virtual void set_rows( nest::ConnectorBase&, size_t first, std::span< const Row >, const double* state ) const = 0;
};

} // namespace distnorm
