# A NixOS module: services.tunless.deploy = { package = …; configFile = "/run/secrets/deploy.conf"; options = [ "-D" "1080" ]; };
# `package` has bin/tunless, made by buildNpmPackage of a project whose package-lock.json pins tunless. `configFile` is a string:
# a path would be copied into the store, where everyone reads it.
{ config, lib, pkgs, ... }:
{
  options.services.tunless = lib.mkOption {
    default = { };
    description = "Tunnels by their names.";
    type = lib.types.attrsOf (lib.types.submodule {
      options = {
        package = lib.mkOption { type = lib.types.package; };
        configFile = lib.mkOption { type = lib.types.str; };
        options = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
      };
    });
  };

  config.systemd.services = lib.mapAttrs' (name: tunnel: {
    name = "tunless-${name}";
    value = {
      description = "tunless tunnel ${name}";
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      wantedBy = [ "multi-user.target" ];
      path = [ pkgs.systemd ]; # systemd-notify speaks for it
      environment.XDG_RUNTIME_DIR = "/run/tunless-${name}";
      serviceConfig = {
        Type = "notify";
        NotifyAccess = "all";
        LoadCredential = "conf:${tunnel.configFile}";
        RuntimeDirectory = "tunless-${name}";
        RuntimeDirectoryMode = "0700";
        ExecStart = "${tunnel.package}/bin/tunless up --config \${CREDENTIALS_DIRECTORY}/conf --timeout 60 ${lib.escapeShellArgs tunnel.options}";
        TimeoutStartSec = 90;
        Restart = "always";
        RestartSec = 5;
        DynamicUser = true;
        CapabilityBoundingSet = "";
        NoNewPrivileges = true;
        ProtectSystem = "strict";
        ProtectHome = true;
        ProtectClock = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectControlGroups = true;
        ProtectProc = "invisible";
        PrivateDevices = true;
        PrivateUsers = true;
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictAddressFamilies = "AF_INET AF_INET6 AF_UNIX AF_NETLINK";
        LockPersonality = true;
        SystemCallArchitectures = "native";
        SystemCallFilter = "@system-service";
        SystemCallErrorNumber = "EPERM";
        UMask = "0077";
      };
    };
  }) config.services.tunless;
}
