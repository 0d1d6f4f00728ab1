#include "app/subcommand.h"

int main(int argc, char **argv)
{
    return subcommand_main(argc, argv);
}
