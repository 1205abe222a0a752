#include "hypervisor/guest/configuration.h"

struct config configuration;
