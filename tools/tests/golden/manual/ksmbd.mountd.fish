complete -c ksmbd.mountd -s p -l port -d 'Bind to TCP port PORT instead of 445' -r
complete -c ksmbd.mountd -s n -l nodetach -d 'Do not detach process from foreground; with 1 also become process group leader; with 0 detach' -r
complete -c ksmbd.mountd -s C -l config -d 'Use CONF as configuration file' -r -F
complete -c ksmbd.mountd -s P -l pwddb -d 'Use PWDDB as user database' -r -F
complete -c ksmbd.mountd -s v -l verbose -d 'Be verbose'
complete -c ksmbd.mountd -s V -l version -d 'Output version information and exit'
complete -c ksmbd.mountd -s h -l help -d 'Print help'
