// What all backends that use the kernel's sockets do in the same way: the synchronous, rare calls
// of IoBackend. Stateless; any thread. type_flags: SOCK_NONBLOCK, or 0 where the kernel waits for
// us.
#pragma once

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/io/io_backend.h"

namespace core::sockets {

IoResult<Handle> listen(const SocketAddress& address, Sharing sharing, int type_flags);
IoResult<Handle> open(const SocketAddress& peer, const SocketAddress* source, int type_flags);
IoResult<SocketAddress> local_address(Handle handle);
IoResult<SocketAddress> peer_address(Handle handle);
void shutdown(Handle handle);
void close(Handle handle, bool reset);

}  // namespace core::sockets
